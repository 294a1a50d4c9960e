"""A model's answers to HealthBench's conversations, graded: cases in, a journal of answers and verdicts out."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from training.healthbench.records import Case, Graded, Item, Mark
from training.journal import Journal
from training.models import Endpoint, Model, ModelFailed


class Grades(Protocol):
    """Who says whether a criterion is met."""

    @property
    def name(self) -> str:
        """Which model, where it is served, and how it is asked: verdicts of another are another journal's."""
        ...

    async def met(self, case: Case, answer: str, item: Item) -> bool | None:
        """Whether the thing is there; None: the grading failed."""
        ...


@dataclass(frozen=True, slots=True)
class Settings:
    """`folder` keeps the journals; `in_flight` conversations are worked on at once.

    A journal's name has a digest of who wrote it, so that one folder may hold several models' and graders' work, and
    none passes for another's.
    """

    folder: Path
    in_flight: int = 16
    max_tokens: int = 1024

    def answers(self, asked: Endpoint) -> Path:
        """The journal of a model's answers."""
        return self.folder / f"answers-{_digest(asked.url, asked.model, self.max_tokens)}.jsonl"

    def verdicts(self, asked: Endpoint, grader: Grades) -> Path:
        """The journal of a grader's verdicts on them."""
        return self.folder / f"verdicts-{_digest(asked.url, asked.model, self.max_tokens, grader.name)}.jsonl"


async def run(
    cases: Sequence[Case],
    model: Model,
    grader: Grades,
    settings: Settings,
    *,
    progress: Callable[[], None] = lambda: None,
    hopeless: Callable[[], bool] = lambda: False,
) -> tuple[Graded, ...]:
    """Answers and grades what the journals do not hold yet. An answer that fails is graded None throughout.

    A failure is not written down: the next run tries it again. Once it is `hopeless` no further answer is begun.

    Raises:
        JournalBroken: a journal cannot be read, or another run writes it.

    """
    asked = model.endpoint
    with Journal(settings.answers(asked)) as answers, Journal(settings.verdicts(asked, grader)) as verdicts:
        places = asyncio.Semaphore(settings.in_flight)

        async def one(case: Case) -> None:
            async with places:
                if hopeless():
                    return
                if _prompt(case) not in answers:
                    await _answer(case, model, answers, max_tokens=settings.max_tokens)
                if _prompt(case) in answers and _rubric(case) not in verdicts:
                    await _grade(case, str(answers[_prompt(case)]["answer"]), grader, verdicts)
            progress()

        async with asyncio.TaskGroup() as group:
            for case in cases:
                group.create_task(one(case))
        return tuple(_graded(case, answers, verdicts) for case in cases)


def _prompt(case: Case) -> str:
    """An answer's key: what was asked, not its name alone, which an edited file keeps."""
    return f"{case.prompt_id}/{_digest([[turn.role.value, turn.content] for turn in case.prompt])}"


def _rubric(case: Case) -> str:
    """A verdict's key: the criteria and points belong to it."""
    return f"{_prompt(case)}/{_digest([[item.criterion, item.points] for item in case.rubric])}"


def _digest(*told: object) -> str:
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


async def _answer(case: Case, model: Model, answers: Journal, *, max_tokens: int) -> None:
    try:
        reply = await model.ask(case.prompt, temperature=0.0, max_tokens=max_tokens)
    except ModelFailed:
        return
    answers.append(_prompt(case), {"answer": reply.text, "finish_reason": reply.finish_reason})


async def _grade(case: Case, answer: str, grader: Grades, verdicts: Journal) -> None:
    met = await asyncio.gather(*(grader.met(case, answer, item) for item in case.rubric))
    if all(verdict is not None for verdict in met):
        verdicts.append(_rubric(case), {"met": met})


def _graded(case: Case, answers: Journal, verdicts: Journal) -> Graded:
    answered, judged = answers.get(_prompt(case)), verdicts.get(_rubric(case))
    met: Sequence[bool | None] = judged["met"] if judged else [None] * len(case.rubric)
    marks = tuple(Mark(item.points, said, item.tags) for item, said in zip(case.rubric, met, strict=True))
    words = len(str(answered["answer"]).split()) if answered else None
    return Graded(case.prompt_id, marks, case.tags, words)


def as_row(graded: Graded) -> dict[str, Any]:
    """As `--from-verdicts` reads it again."""
    return {
        "prompt_id": graded.prompt_id,
        "example_tags": list(graded.tags),
        "words": graded.words,
        "verdicts": [{"points": mark.points, "met": mark.met, "tags": list(mark.tags)} for mark in graded.marks],
    }
