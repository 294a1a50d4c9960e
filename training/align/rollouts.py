"""Rollouts: rows come in; several scored answers to each, journaled, go out; the best and the worst make pairs."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from training.align.row import Row
from training.journal import Journal
from training.reward.scorer import Scorer
from training.reward.shaping import form


class Writes(Protocol):
    """Who answers: a model in this process, or one by URL."""

    def __call__(self, rows: Sequence[Row], *, seed: int) -> Sequence[Sequence[str]]:
        """Several answers to each row's prompt."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with its reward; `form` is the format's."""

    text: str
    value: float
    form: float


@dataclass(frozen=True, slots=True)
class Pair:
    """The best answer to a row and the worst, `gap` apart."""

    row: Row
    best: Answer
    worst: Answer

    @property
    def gap(self) -> float:
        """How far apart."""
        return self.best.value - self.worst.value


def roll_out(
    rows: Sequence[Row],
    write: Writes,
    scorer: Scorer,
    journal: Journal,
    *,
    seed: int,
    batch: int,
    form_weight: float = 0.0,
    progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Answers and scores every row that the journal does not hold, `batch` rows at a time; how many are left unjudged.

    A batch's seed comes of its first row's place among all rows, so that a run which was stopped writes what it would
    have written. A row of which any answer could not be judged is not kept: the next start asks the judge again.
    """
    unjudged = 0
    for start in range(0, len(rows), batch):
        chunk = rows[start : start + batch]
        progress(len(chunk))
        if all(row.id in journal for row in chunk):
            continue
        # The whole batch is written again, since its seed is one; what is kept is not judged again.
        both = zip(chunk, write(chunk, seed=seed + start), strict=True)
        written = [(row, texts) for row, texts in both if row.id not in journal]
        for row, answers in asyncio.run(_scored(written, scorer, form_weight)):
            if None in answers:
                unjudged += 1
            else:
                journal.append(row.id, {"answers": answers})
    return unjudged


async def _scored(
    written: Sequence[tuple[Row, Sequence[str]]], scorer: Scorer, form_weight: float
) -> list[tuple[Row, list[dict[str, Any] | None]]]:
    """Each row's answers; None for one that could not be judged."""

    async def one(row: Row, text: str) -> dict[str, Any] | None:
        reward = await scorer.score(row.prompt, text, row.rubric)
        if reward is None:
            return None
        return {"text": text, "value": reward.value + form_weight * form(text), "form": form(text)}

    return [(row, await asyncio.gather(*(one(row, text) for text in texts))) for row, texts in written]


def pairs(rows: Sequence[Row], journal: Mapping[str, Mapping[str, Any]], *, gap: float = 0.1) -> list[Pair]:
    """Of each row that was judged its best and worst answers: at least `gap` apart, and the best is well formed."""
    found = []
    for row in rows:
        if row.id not in journal:
            continue
        answers = [Answer(**answer) for answer in journal[row.id]["answers"]]
        pair = Pair(row, max(answers, key=lambda a: (a.form, a.value)), min(answers, key=lambda a: a.value))
        if pair.best.form and pair.gap >= gap:
            found.append(pair)
    return found
