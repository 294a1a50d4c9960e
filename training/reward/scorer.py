"""Which of a rubric's items an answer does, as a judge says; a number, or None where it failed, goes out."""

import asyncio
import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from weakref import WeakKeyDictionary

from service.domain.conversation import Message
from training.reward.rubric import Rubric
from training.reward.shaping import Length

_KEPT: Final = 200_000
# A rubric of few points can go far below zero by one forbidden thing, and would drown its group.
FLOOR: Final = -1.0


class Judge(Protocol):
    """Who reads an answer."""

    @property
    def name(self) -> str:
        """Which judge: part of every cached answer's key."""
        ...

    async def does(self, prompt: Sequence[Message], answer: str, criterion: str) -> bool | None:
        """Whether the answer does what the criterion names; None: the judge failed, or said neither."""
        ...


@dataclass(frozen=True, slots=True)
class Reward:
    """`value` is what an optimiser gets: the rubric's score, no less than FLOOR, less the price of length."""

    rubric: float
    penalty: float

    @property
    def value(self) -> float:
        """In [FLOOR - the highest penalty, 1]."""
        return max(FLOOR, self.rubric) - self.penalty


@dataclass(slots=True)
class Tally:
    """How much was scored, since `began` and in the `before` seconds of processes that were stopped."""

    began: float = field(default_factory=time.monotonic)
    before: float = 0.0
    answers: int = 0
    unjudged: int = 0
    asked: int = 0
    cached: int = 0
    failed: int = 0

    @classmethod
    def after(cls, told: Mapping[str, Any]) -> "Tally":
        """One that goes on from what `as_dict` told of an earlier process."""
        cached = int(told["verdicts_cached"])
        return cls(
            before=float(told["seconds"]),
            answers=int(told["answers"]),
            unjudged=int(told["unjudged"]),
            asked=int(told["verdicts"]) - cached,
            cached=cached,
            failed=int(told["verdicts_failed"]),
        )

    def as_dict(self) -> dict[str, float]:
        """Counts, and verdicts and answers a second."""
        seconds = max(self.before + time.monotonic() - self.began, 1e-9)
        verdicts = self.asked + self.cached
        return {
            "answers": self.answers,
            "unjudged": self.unjudged,
            "verdicts": verdicts,
            "verdicts_cached": self.cached,
            "verdicts_failed": self.failed,
            "seconds": round(seconds, 3),
            "answers_per_second": round(self.answers / seconds, 2),
            "verdicts_per_second": round(verdicts / seconds, 2),
        }


class Scorer:
    """Scores answers, at most `concurrency` verdicts at once; what a judge said of the same text is not asked again.

    A verdict that fails is tried once more; if it fails again the whole answer is unjudged. It is never scored 0: a
    policy would learn from the judge's outages.
    """

    def __init__(self, judge: Judge, *, length: Length | None = None, concurrency: int = 32) -> None:
        self.judge = judge
        self.length = length or Length()
        self.tally = Tally()
        self._concurrency = concurrency
        # By event loop: a semaphore belongs to the first one that waits for it, and TRL has one of its own.
        self._places: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()
        self._known: OrderedDict[str, asyncio.Future[bool | None]] = OrderedDict()

    async def score(self, prompt: Sequence[Message], answer: str, rubric: Rubric) -> Reward | None:
        """The reward of one answer, or None where any of its verdicts failed."""
        said = _key(self.judge.name, prompt, answer)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._verdict(said, prompt, answer, i.criterion)) for i in rubric.items]
        verdicts = [task.result() for task in tasks]
        self.tally.answers += 1
        done = [verdict for verdict in verdicts if verdict is not None]
        if len(done) < len(verdicts):
            self.tally.unjudged += 1
            return None
        return Reward(rubric.score(done), self.length.penalty(answer))

    async def _verdict(self, said: str, prompt: Sequence[Message], answer: str, criterion: str) -> bool | None:
        key = said + criterion
        if (known := self._known.get(key)) is not None:
            self.tally.cached += 1
            self._known.move_to_end(key)
            return await asyncio.shield(known)
        waiting: asyncio.Future[bool | None] = asyncio.get_running_loop().create_future()
        self._known[key] = waiting
        verdict: bool | None = None
        try:
            verdict = await self._asked(prompt, answer, criterion)
        finally:
            waiting.set_result(verdict)
            if verdict is None:  # a failure is not an answer: the next one asks anew
                self._known.pop(key, None)
            elif len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return verdict

    async def _asked(self, prompt: Sequence[Message], answer: str, criterion: str) -> bool | None:
        for _ in range(2):
            async with self._places.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(self._concurrency)):
                self.tally.asked += 1
                verdict = await self.judge.does(prompt, answer, criterion)
            if verdict is not None:
                return verdict
            self.tally.failed += 1
        return None


def _key(judge: str, prompt: Sequence[Message], answer: str) -> str:
    """Of what all criteria of an answer are asked about, read once: its prompt is many times as long as any of them."""
    said = [[turn.role.value, turn.content] for turn in prompt]
    return hashlib.sha256(json.dumps([judge, said, answer]).encode()).hexdigest()
