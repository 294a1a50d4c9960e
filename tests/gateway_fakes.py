"""A gateway over a scripted model: what the HTTP tests stand on."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson
import uvicorn
from fastapi import FastAPI

from service.audit.ledger import MemoryLedger
from service.domain.assessment import (
    Criterion,
    Expertise,
    Polarity,
    RedFlag,
    Retrieved,
    Scenario,
    Span,
    TaskType,
    Uncertainty,
    Urgency,
)
from service.domain.completion import Ask, Completion, TokenProbability, Usage
from service.domain.conversation import Conversation, Role, ToolCall
from service.domain.enquiry import Audience, Tenant
from service.domain.errors import StoreError
from service.gateway.desk import Desk, Limits, Tenants
from service.gateway.protocol import BoundedProtocol
from service.gateway.web import create_web
from service.observability.metrics import Metrics
from service.pipeline.judge import ModelJudge
from service.pipeline.orchestrator import Limits as PipelineLimits
from service.pipeline.orchestrator import Orchestrator
from service.pipeline.ports import Hits
from service.pipeline.screen import Screen, Screened
from service.pipeline.screen.rules import Survey
from service.state.memory import MemoryQuotas
from service.state.repeats import MemoryRepeats
from tests.fakes import FakeEngine, Script

GOOD = "Rest, drink, and see a doctor if it lasts."
BAD = "Forbiddenword antibiotics at once."
COUGH = {"messages": [{"role": "user", "content": "I have had a cough for three days."}]}
CHEST = {"messages": [{"role": "user", "content": "I have crushing chest pain and my left arm is numb right now."}]}

RISK = Criterion("calm#risk", "calm", "Does harm.", 9, Polarity.MUST_NOT)
REST = Criterion("calm#rest", "calm", "Says to rest.", 4, Polarity.MUST)
CALM = Retrieved("calm", "Calm", "Stay calm.", "task_type", "triage", "1.0.0", 0.5, (RISK, REST))
ALWAYS = Retrieved("always", "Always", "Be kind.", "task_type", "triage", "1.0.0", 1.0, (), always_on=True)
ROUTINE = Scenario(Urgency.ROUTINE, Uncertainty.REDUCIBLE, Expertise.LAY, TaskType.TRIAGE)


DUTY = "Call an ambulance now."


class FakeScreen(Screen):
    """Sees chest pain, and nothing else: these tests are about what becomes of a flag, not which are found."""

    def read(self, survey: Survey, conversation: Conversation, *, audience: Audience | None) -> Screened:
        at = next((n for n, turn in enumerate(conversation.messages) if "chest pain" in turn.content), None)
        if at is None:
            return Screened((), audience=audience)
        found = conversation.messages[at].content.find("chest pain")
        return Screened((RedFlag("cardiac", Span(at, found, found + 10), DUTY),), audience=audience)

    def duty(self, flags: Sequence[RedFlag], *, audience: Audience | None, language: str | None = None) -> str:
        return DUTY if flags else ""


@dataclass
class FakePrinciples:
    """A store that finds the same for every query, or fails; and the shelf of it."""

    broken: bool = False
    calm: Retrieved = CALM
    digest: str = "sha256:p"

    async def consult(self, query: str, *, families: Sequence[str], limit: int) -> Hits:
        if self.broken:
            raise StoreError("the index is empty")
        return Hits(ROUTINE, (self.calm,), (ALWAYS,), (), (), 0.6, 0.6, self.digest)

    def all(self) -> Sequence[Mapping[str, object]]:
        return [{"id": "calm", "title": "Calm"}]

    def one(self, principle_id: str) -> Mapping[str, object] | None:
        return {"id": "calm", "title": "Calm"} if principle_id == "calm" else None

    async def search(self, query: str, *, limit: int) -> Sequence[Mapping[str, object]]:
        if self.broken:
            raise StoreError("the index is empty")
        return [{"id": "calm", "title": "Calm", "similarity": 0.5}][:limit]


class FakeEmbedder:
    """Vectors of three numbers: words, letters, and one."""

    name, dimension, max_tokens = "tiny", 3, 8

    async def count(self, text: str) -> int:
        return len(text.split())

    async def embed(self, text: str) -> bytes:
        return struct.pack("<3f", len(text.split()), len(text), 1.0)


def is_verdict(ask: Ask) -> bool:
    return ask.top_probabilities > 0


def is_revision(ask: Ask) -> bool:
    return not is_verdict(ask) and ask.prompt.messages[-2].role is Role.ASSISTANT


def verdict(present: bool) -> Completion:
    shares = (TokenProbability("Yes", float(present)), TokenProbability("No", float(not present)))
    return Completion("Yes" if present else "No", "length", Usage(120, 1, 100), first_token=shares)


def plays(
    draft: str = GOOD,
    *,
    revision: str = GOOD,
    passes: Callable[[str], bool] = lambda answer: "Forbiddenword" not in answer,
    tool_calls: tuple[ToolCall, ...] = (),
    finish_reason: str = "stop",
) -> Script:
    """A model that drafts, judges its answer by `passes`, and revises. It never goes against the duty."""

    def play(ask: Ask) -> Completion:
        if is_verdict(ask):
            asked, answer = ask.prompt.messages[-1].content, ask.prompt.messages[-2].content
            return verdict("Contradicts" not in asked and passes(answer) != ("harm" in asked))
        if is_revision(ask):
            return Completion(revision, "stop", Usage(150, 20, 100))
        return Completion(draft, finish_reason, Usage(100, 10, 50), tool_calls=tool_calls)

    return play


@dataclass
class FakeDesk:
    """The parts of a desk, so that a test may change some and look at others."""

    script: Script = field(default_factory=plays)
    principles: FakePrinciples = field(default_factory=FakePrinciples)
    tenants: Tenants = field(default_factory=lambda: Tenants(open_to=Tenant("local")))
    limits: Limits = field(default_factory=Limits)
    ready: tuple[bool, Sequence[str]] = (True, ())
    cache: Any = None
    repeats: Any = field(default_factory=lambda: MemoryRepeats(ttl_s=60))
    ledger: Any = field(default_factory=MemoryLedger)
    metrics: Metrics = field(default_factory=Metrics)
    screen: FakeScreen = field(default_factory=FakeScreen)
    version: str = "0"

    def __post_init__(self) -> None:
        self.engine = FakeEngine(self.script)

    @property
    def web(self) -> FastAPI:
        return create_web(self.desk)

    @property
    def desk(self) -> Desk:
        orchestrator = Orchestrator(
            screen=self.screen,
            principles=self.principles,
            engine=self.engine,
            judge=ModelJudge(self.engine, "self:fake"),
            limits=PipelineLimits(),
            service_version=self.version,
        )
        return Desk(
            orchestrator=orchestrator,
            quotas=MemoryQuotas(),
            cache=self.cache,
            repeats=self.repeats,
            ledger=self.ledger,
            shelf=self.principles,
            embedder=FakeEmbedder(),
            metrics=self.metrics,
            tenants=self.tenants,
            ready=lambda: self.ready,
            audit_key=b"k" * 32,
            service_version=self.version,
            limits=self.limits,
        )


@asynccontextmanager
async def serving(web: FastAPI) -> AsyncIterator[str]:
    """The application behind a real uvicorn on a loopback port: its address."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(web, log_config=None, access_log=False, lifespan="off", ws="none", http=BoundedProtocol)
        server = _Server(config)
        task = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            while not server.started:
                await asyncio.sleep(0.005)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.told_to_end.set()
            await task


class _Server(uvicorn.Server):
    """Uvicorn looks every tenth of a second whether it is to end, and then waits another; this one ends at once."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.told_to_end = asyncio.Event()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self.told_to_end.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        while self.server_state.connections or self.server_state.tasks:
            await asyncio.sleep(0.001)


# Made once and without anybody's certificates, which take longer to read than most tests: no address here is https.
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@asynccontextmanager
async def client_of(fake: FakeDesk, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a served desk."""
    async with (
        serving(fake.web) as address,
        httpx.AsyncClient(base_url=address, headers=headers, timeout=10, verify=_NO_TLS) as client,
    ):
        yield client


def events(body: bytes) -> list[tuple[str, Any]]:
    """The events of a stream: name and data (JSON where it is), comments as `:`."""
    found = []
    for block in body.decode().split("\n\n"):
        if not block:
            continue
        if block.startswith(":"):
            found.append((":", block[1:].strip()))
            continue
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        data = fields["data"]
        found.append((fields.get("event", ""), data if data == "[DONE]" else orjson.loads(data)))
    return found
