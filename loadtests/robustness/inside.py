"""A gateway without its two slow neighbours: the deterministic model and a shelf of principles, in the process.

The web, the middleware, the red-flag rules, the pipeline, the ledger and the metrics are the real ones. It is what a
hundred thousand requests are sent through, where it is the gateway's own reading and replying that is looked at.
"""

import struct
from collections.abc import Callable, Mapping, Sequence

import orjson
from fastapi import FastAPI

from loadtests.robustness.sayings import Manner, Said, logprobs, said
from principles_store.loading import load_principles
from principles_store.paths import Places
from principles_store.schema import Principle
from service.audit.ledger import MemoryLedger
from service.domain.assessment import (
    Criterion,
    Expertise,
    Polarity,
    Retrieved,
    Scenario,
    TaskType,
    Uncertainty,
    Urgency,
)
from service.domain.completion import Ask, Completion, Usage
from service.domain.conversation import ToolCall
from service.domain.deadline import Deadline
from service.domain.enquiry import Tenant
from service.engines.reply import Reply
from service.engines.request import completion_body
from service.gateway.desk import Desk, Tenants
from service.gateway.web import create_web
from service.observability.metrics import Metrics
from service.pipeline.judge import ModelJudge
from service.pipeline.orchestrator import Limits, Orchestrator
from service.pipeline.ports import Abilities, Hits
from service.pipeline.screen import Screen
from service.state.memory import MemoryQuotas
from service.state.repeats import MemoryRepeats

_ABILITIES = Abilities(
    model="deterministic", context_tokens=8192, probabilities=True, json_schema=True, cached_tokens=True
)
_ROUTINE = Scenario(Urgency.ROUTINE, Uncertainty.REDUCIBLE, Expertise.LAY, TaskType.TREATMENT)
_NEAREST = 3


class InsideEngine:
    """Implements `Engine`: each ask becomes the body that would be sent, and what is said of it the completion."""

    def __init__(self, manner: Manner) -> None:
        self._manner = manner

    @property
    def abilities(self) -> Abilities:
        """All of them."""
        return _ABILITIES

    async def complete(
        self, ask: Ask, *, deadline: Deadline, on_text: Callable[[str], None] | None = None
    ) -> Completion:
        """As `Engine.complete`, at once."""
        del deadline
        body = orjson.loads(completion_body(ask, model=_ABILITIES.model, extra={}))
        completion = _completion(said(body, self._manner), top=ask.top_probabilities)
        if on_text is not None:
            on_text(completion.text)
        return completion

    async def count_tokens(self, text: str, *, deadline: Deadline) -> int | None:
        """One a word, and one for every fourth letter beyond."""
        del deadline
        return len(text) // 4 + 1


def _completion(reply: Said, *, top: int) -> Completion:
    usage = reply.usage
    heard = Reply()
    heard.take(orjson.dumps({"choices": [{"logprobs": logprobs(reply, most=top), "finish_reason": "stop"}]}).decode())
    calls = tuple(ToolCall(c["id"], c["function"]["name"], c["function"]["arguments"]) for c in reply.calls)
    spent = Usage(usage["prompt_tokens"], usage["completion_tokens"], usage["prompt_tokens_details"]["cached_tokens"])
    return Completion(reply.text, reply.finish_reason, spent, calls, heard.completion().first_token)


class Shelf:
    """Implements `Principles` and `Shelf` over the shipped principles: the same few are near to every question."""

    def __init__(self) -> None:
        self._all = load_principles(Places.from_environment().principles)
        plain = [_retrieved(p) for p in self._all if not p.always_on]
        self._near = tuple(plain[:: len(plain) // _NEAREST][:_NEAREST])
        self._always = tuple(_retrieved(p) for p in self._all if p.always_on)

    async def consult(self, query: str, *, families: Sequence[str], limit: int) -> Hits:
        """As `Principles.consult`."""
        del query
        flagged = tuple(_retrieved(p) for p in self._all if set(families) & set(p.red_flag_families))
        return Hits(_ROUTINE, self._near[:limit], self._always, flagged, (), 0.6, 0.6, "sha256:shelf")

    def all(self) -> Sequence[Mapping[str, object]]:
        """Every principle, as JSON."""
        return [_shown(principle) for principle in self._all]

    def one(self, principle_id: str) -> Mapping[str, object] | None:
        """One by id, or None."""
        return next((_shown(principle) for principle in self._all if principle.id == principle_id), None)

    async def search(self, query: str, *, limit: int) -> Sequence[Mapping[str, object]]:
        """The first ones."""
        del query
        return [{**_shown(principle), "similarity": 0.5} for principle in self._all[:limit]]


class Vectors:
    """Implements `Embedder`: vectors of three numbers."""

    name, dimension, max_tokens = "inside", 3, 256

    async def count(self, text: str) -> int:
        """One a word."""
        return len(text.split())

    async def embed(self, text: str) -> bytes:
        """Words, letters, and one."""
        return struct.pack("<3f", len(text.split()), len(text), 1.0)


def inside_web(manner: Manner | None = None) -> FastAPI:
    """The web application of such a gateway, with default limits and no key."""
    engine, shelf = InsideEngine(manner or Manner(long=0.0)), Shelf()
    orchestrator = Orchestrator(
        screen=Screen(),
        principles=shelf,
        engine=engine,
        judge=ModelJudge(engine, "inside"),
        limits=Limits(),
        service_version="0",
    )
    return create_web(
        Desk(
            orchestrator=orchestrator,
            quotas=MemoryQuotas(),
            cache=None,
            repeats=MemoryRepeats(ttl_s=600),
            ledger=MemoryLedger(),
            shelf=shelf,
            embedder=Vectors(),
            metrics=Metrics(),
            tenants=Tenants(open_to=Tenant("local", provisional_drafts=True)),
            ready=lambda: (True, ()),
            audit_key=b"k" * 32,
            service_version="0",
        )
    )


def _retrieved(principle: Principle) -> Retrieved:
    criteria = (
        Criterion(f"{principle.id}#{c.id}", principle.id, c.text, c.weight, Polarity(c.polarity))
        for c in principle.criteria
    )
    return Retrieved(
        id=principle.id,
        title=principle.title,
        statement=principle.statement,
        dimension=principle.dimension,
        level=principle.level,
        version=principle.version,
        similarity=0.5,
        criteria=tuple(criteria),
        always_on=principle.always_on,
    )


def _shown(principle: Principle) -> Mapping[str, object]:
    return {**principle.model_dump(mode="json"), "dimension": principle.dimension.value, "level": principle.level}
