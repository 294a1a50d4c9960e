"""An upstream that misbehaves in every way that is known: the policy answers, the duty stands, and nothing leaks."""

import json
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest
import pytest_asyncio

from loadtests.robustness.chaos import WELL, Site, faults_of, open_site, row
from loadtests.robustness.faults import Trouble, troubles
from loadtests.robustness.model import DeterministicModel
from service.domain.deadline import Deadline
from service.engines.breaker import Breaker
from service.engines.endpoint import Endpoint
from service.engines.openai_http import OpenAIEngine
from service.engines.retry import Backoff
from service.observability.logs import LOGGER
from tests.gateway_fakes import FakeDesk, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")
DEADLINE_MS = 300


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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway() -> AsyncIterator[Gateway]:
    """Our pipeline over a real engine, whose circuit closes again soon, in front of the model's server."""
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


@pytest.mark.parametrize("trouble", troubles(), ids=lambda trouble: trouble.name.replace(" ", "-"))
async def test_trouble_upstream_becomes_the_policy_and_the_duty_stands(gateway: Gateway, trouble: Trouble) -> None:
    waits = 5_000 if trouble.reason is None else DEADLINE_MS
    found = await row(gateway.client, gateway.site, trouble, log=gateway.log, deadline_ms=waits)
    assert gateway.log
    assert not faults_of(found)
