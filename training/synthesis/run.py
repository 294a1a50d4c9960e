"""A synthesis run: queries in; journals of replies, rows of training data, and a report of counts and costs out."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from training.claim import OtherWork, claim
from training.journal import Journal
from training.models import Calls, Endpoint, Model, ModelFailed
from training.synthesis.checks import Encode
from training.synthesis.queries import Query
from training.synthesis.steps import PAIRS_DIGEST, Asked, Done, Dropped, Pending, Plan, Request, Stage, step

ROWS: Final = "rows.jsonl"
PLAN: Final = "plan.json"
# What a chat completion's JSON holds beside what is read again: dropped, to keep journals small.
_KEPT: Final = ("choices", "usage")
# A reply's name, as `steps` gives it. A folder may hold others, from files that were no batch of ours.
_NAME: Final = re.compile(rf"(?P<query>[^/]+)/(?P<stage>{'|'.join(Stage)})/[^/]+(?:/[^/]+)?")


class Reads(Protocol):
    """The principles' store: what a query is about, and what matters for it."""

    @property
    def facts(self) -> Mapping[str, str]:
        """Digests and versions, for provenance."""
        ...

    def asked(self, query: Query) -> Asked:
        """The query with its scenario and principles."""
        ...

    def encode(self, texts: Sequence[str]) -> Any:
        """[texts, dimension]: unit vectors."""
        ...


@dataclass(frozen=True, slots=True)
class Prices:
    """Of a million tokens, in whatever currency; 0 where the model is one's own. The judge is paid for its verdicts."""

    prompt: float = 0.0
    completion: float = 0.0
    judge_prompt: float = 0.0
    judge_completion: float = 0.0

    @classmethod
    def given(
        cls,
        prompt: float,
        completion: float,
        judge_prompt: float | None,
        judge_completion: float | None,
        *,
        same_judge: bool,
    ) -> "Prices":
        """A judge's price that was not given is the writer's where both are one model, and else 0."""
        return cls(
            prompt,
            completion,
            judge_prompt if judge_prompt is not None else prompt * same_judge,
            judge_completion if judge_completion is not None else completion * same_judge,
        )

    def of(self, stage: Stage, *, prompt: int, completion: int) -> float:
        """What a stage's tokens cost."""
        if stage is Stage.VERDICT:
            return (prompt * self.judge_prompt + completion * self.judge_completion) / 1e6
        return (prompt * self.prompt + completion * self.completion) / 1e6


@dataclass(frozen=True, slots=True)
class Report:
    """How a run stands: `made` rows, `dropped` by reason, `waiting` for replies, and tokens by stage."""

    queries: int
    made: int
    dropped: Mapping[str, int]
    waiting: int
    tokens: Mapping[str, Mapping[str, int]]
    cost: float

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "queries": self.queries,
            "made": self.made,
            "dropped": dict(self.dropped),
            "waiting": self.waiting,
            "tokens": {stage: dict(counts) for stage, counts in self.tokens.items()},
            "cost": round(self.cost, 4),
        }


class Taken(NamedTuple):
    """Of a batch's lines: how many were new replies, had failed and are asked for again, or answer none of our rows."""

    taken: int
    failed: int
    foreign: int


class Synthesis:
    """One run's folder: `replies.jsonl` is the journal of every model reply; `rows.jsonl` follows from it.

    `plan.json` says who writes and judges, and by which principles and prompt. A reply's key does not, so that a folder
    of another plan is refused: its old replies would be signed with the new plan's names.

    Raises:
        JournalBroken: the journal cannot be read, or another run works here.
        OtherWork: the folder belongs to another plan.

    """

    def __init__(self, folder: Path, store: Reads, plan: Plan) -> None:
        self.folder, self.plan = folder, plan
        self._store = store
        self._replies = Journal(folder / "replies.jsonl")
        try:
            self._claim()
        except OtherWork:
            self.close()
            raise

    def _claim(self) -> None:
        if len(self._replies) and not (self.folder / PLAN).exists():
            raise OtherWork(f"{self.folder} has replies but no {PLAN} that says whose: choose another folder")
        settings = {"samples": self.plan.samples, "tries": self.plan.tries, "seed": self.plan.seed}
        facts = self._facts()
        # A verdict's name has its criterion's digest, so that a folder of before pairs were asked may go on.
        later = {"pairs_digest": facts.pop("pairs_digest")}
        claim(self.folder / PLAN, {**facts, **settings}, later=later)

    def close(self) -> None:
        """Lets go of the folder."""
        self._replies.__exit__(None, None, None)

    async def run(
        self, queries: Iterable[Query], *, in_flight: int = 32, progress: Callable[[], None] = lambda: None
    ) -> tuple[Calls, ...]:
        """Asks the plan's servers until every query is done, or its server fails; those go on at the next run.

        Ends early where a server's first calls all fail. How each server's calls went is given back.
        """
        async with AsyncExitStack() as stack:
            endpoints = {self.plan.endpoint(stage) for stage in Stage}
            models = {e: await stack.enter_async_context(Model.at(e)) for e in endpoints}
            places = asyncio.Semaphore(in_flight)

            async def one(query: Query) -> None:
                try:
                    await self._one(self._store.asked(query), models)
                finally:
                    places.release()
                    progress()

            async with asyncio.TaskGroup() as group:
                for query in queries:
                    if any(model.calls.hopeless for model in models.values()):
                        break
                    await places.acquire()  # so that no more queries are in memory than are worked on
                    group.create_task(one(query))
            return tuple(model.calls for model in models.values())

    async def _one(self, asked: Asked, models: Mapping[Endpoint, Model]) -> None:
        while isinstance(found := self._step(asked), Pending):
            sent = [self._send(request, models[self.plan.endpoint(request.stage)]) for request in found.requests]
            if not all(await asyncio.gather(*sent)):
                return

    async def _send(self, request: Request, model: Model) -> bool:
        try:
            answer = await model.send(request.body)
        except ModelFailed:
            return False
        self._keep(request.custom_id, answer)
        return True

    def open_requests(self, queries: Iterable[Query]) -> Iterator[dict[str, Any]]:
        """What is to be asked next, as lines of an OpenAI batch file."""
        for query in queries:
            if isinstance(found := self._step(self._store.asked(query)), Pending):
                for request in found.requests:
                    yield {
                        "custom_id": request.custom_id,
                        "method": "POST",
                        "url": "/v1/chat/completions",
                        "body": request.body,
                    }

    def take(self, lines: Iterable[Mapping[str, Any]], queries: Iterable[Query]) -> Taken:
        """Keeps those lines of a batch's output file that answer what was asked for these queries."""
        ours = {query.id for query in queries}
        taken = failed = foreign = 0
        for line in lines:
            name, body = line.get("custom_id"), _body(line)
            found = _NAME.fullmatch(name) if isinstance(name, str) else None
            if not found or found["query"] not in ours:
                foreign += 1
            elif body is None:
                failed += 1
            elif name not in self._replies:
                self._keep(found[0], body)
                taken += 1
        return Taken(taken, failed, foreign)

    def finish(self, queries: Iterable[Query], *, prices: Prices | None = None) -> Report:
        """Writes the rows of all queries that are done, in the queries' order, and reports how the run stands."""
        dropped: Counter[str] = Counter()
        total = made = waiting = 0
        partial = self.folder / f"{ROWS}.partial"
        with partial.open("w", encoding="utf-8") as file:
            for query in queries:
                total += 1
                match self._step(self._store.asked(query)):
                    case Done(row):
                        made += 1
                        file.write(json.dumps(row, ensure_ascii=False) + "\n")
                    case Dropped(reason):
                        dropped[reason.value] += 1
                    case Pending():
                        waiting += 1
        partial.replace(self.folder / ROWS)
        tokens = self._tokens()
        priced = prices or Prices()
        cost = sum(
            priced.of(Stage(stage), prompt=t["prompt"], completion=t["completion"]) for stage, t in tokens.items()
        )
        return Report(total, made, dict(dropped), waiting, tokens, cost)

    def _step(self, asked: Asked) -> Pending | Done | Dropped:
        return step(asked, self._replies, self.plan, self._encode, facts=self._facts())

    @property
    def _encode(self) -> Encode:
        return self._store.encode

    def _facts(self) -> dict[str, str]:
        return {
            **self._store.facts,
            "pairs_digest": PAIRS_DIGEST,
            "writer": self.plan.writer.model,
            "sampler": self.plan.sampler.model if self.plan.samples else "",
            "judge": self.plan.judge.model if self.plan.samples else "",
        }

    def _keep(self, name: str, answer: Mapping[str, Any]) -> None:
        self._replies.append(name, {part: answer[part] for part in _KEPT if part in answer})

    def _tokens(self) -> dict[str, dict[str, int]]:
        found = {stage.value: {"calls": 0, "prompt": 0, "completion": 0} for stage in Stage}
        for name, reply in self._replies.items():
            if (ours := _NAME.fullmatch(name)) is None:
                continue  # an earlier version took what any file held
            usage, counts = reply.get("usage") or {}, found[ours["stage"]]
            counts["calls"] += 1
            counts["prompt"] += int(usage.get("prompt_tokens") or 0)
            counts["completion"] += int(usage.get("completion_tokens") or 0)
        return found


def _body(line: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The reply of a line of a batch's output; None where it failed."""
    response = line.get("response")
    if line.get("error") or not isinstance(response, dict):
        return None
    status, body = response.get("status_code", 200), response.get("body")
    return body if isinstance(status, int) and status < 400 and isinstance(body, dict) else None
