"""Our pipeline over a real engine in front of the deterministic model's server, all in the test's process."""

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from loadtests.robustness.chaos import WELL, Site, open_site
from loadtests.robustness.model import DeterministicModel
from service.domain.deadline import Deadline
from service.engines.breaker import Breaker
from service.engines.endpoint import Endpoint
from service.engines.openai_http import OpenAIEngine
from service.engines.retry import Backoff
from service.observability.logs import LOGGER
from tests.gateway_fakes import FakeDesk, serving


class Kept(logging.Handler):
    """The lines of the log, as they would be written."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.dumps([record.getMessage(), getattr(record, "fields", {})]))


@dataclass(frozen=True)
class Gateway:
    site: Site
    client: aiohttp.ClientSession
    log: list[str]


@asynccontextmanager
async def gateway_over_model() -> AsyncIterator[Gateway]:
    """The gateway, whose engine's circuit closes again soon."""
    kept, model, fake, level = Kept(), DeterministicModel(manner=WELL), FakeDesk(), LOGGER.level
    LOGGER.addHandler(kept)
    LOGGER.setLevel(logging.DEBUG)
    async with open_site(model) as site:
        fake.engine = OpenAIEngine(  # type: ignore[assignment]
            Endpoint(base_url=f"http://127.0.0.1:{site.port}/v1"),
            breaker=Breaker(cool_down_s=0.1),
            backoff=Backoff(base_s=0.01),
        )
        await fake.engine.start(Deadline.after(10))  # type: ignore[attr-defined]
        async with serving(fake.web) as address, aiohttp.ClientSession(address) as client:
            yield Gateway(site, client, kept.lines)
        await fake.engine.aclose()  # type: ignore[attr-defined]
    LOGGER.removeHandler(kept)
    LOGGER.setLevel(level)
