"""A model's answers to HealthBench's conversations, graded: cases in, a journal of answers and verdicts out."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from training.healthbench.records import Case, Graded, Item, Mark
from training.journal import Journal
from training.models import Model, ModelFailed


class Grades(Protocol):
    """Who says whether a criterion is met."""

    async def met(self, case: Case, answer: str, item: Item) -> bool | None:
        """Whether the thing is there; None: the grading failed."""
        ...


@dataclass(frozen=True, slots=True)
class Settings:
    """`folder` keeps the journals; `in_flight` conversations are worked on at once."""

    folder: Path
    in_flight: int = 16
    max_tokens: int = 1024


async def run(
    cases: Sequence[Case],
    model: Model,
    grader: Grades,
    settings: Settings,
    *,
    progress: Callable[[], None] = lambda: None,
) -> tuple[Graded, ...]:
    """Answers and grades what the journals do not hold yet. An answer that fails is graded None throughout.

    A failure is not written down: the next run tries it again.

    Raises:
        JournalBroken: a journal cannot be read, or another run writes it.

    """
    with Journal(settings.folder / "answers.jsonl") as answers, Journal(settings.folder / "verdicts.jsonl") as verdicts:
        places = asyncio.Semaphore(settings.in_flight)

        async def one(case: Case) -> None:
            async with places:
                if case.prompt_id not in answers:
                    await _answer(case, model, answers, max_tokens=settings.max_tokens)
                if case.prompt_id in answers and case.prompt_id not in verdicts:
                    await _grade(case, str(answers[case.prompt_id]["answer"]), grader, verdicts)
            progress()

        async with asyncio.TaskGroup() as group:
            for case in cases:
                group.create_task(one(case))
        return tuple(_graded(case, answers, verdicts) for case in cases)


async def _answer(case: Case, model: Model, answers: Journal, *, max_tokens: int) -> None:
    try:
        reply = await model.ask(case.prompt, temperature=0.0, max_tokens=max_tokens)
    except ModelFailed:
        return
    answers.append(case.prompt_id, {"answer": reply.text, "finish_reason": reply.finish_reason})


async def _grade(case: Case, answer: str, grader: Grades, verdicts: Journal) -> None:
    met = await asyncio.gather(*(grader.met(case, answer, item) for item in case.rubric))
    if all(verdict is not None for verdict in met):
        verdicts.append(case.prompt_id, {"met": met})


def _graded(case: Case, answers: Journal, verdicts: Journal) -> Graded:
    answered, judged = answers.get(case.prompt_id), verdicts.get(case.prompt_id)
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
