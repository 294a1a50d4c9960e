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
) -> None:
    """Answers and scores every row that the journal does not hold, `batch` rows at a time.

    A batch's seed comes of its first row's place among all rows, so that a run which was stopped writes what it would
    have written. An answer that could not be judged is left out; a row without judged answers has none.
    """
    for start in range(0, len(rows), batch):
        chunk = rows[start : start + batch]
        progress(len(chunk))
        if all(row.id in journal for row in chunk):
            continue
        written = write(chunk, seed=seed + start)
        scored = asyncio.run(_scored(chunk, written, scorer, form_weight))
        for row, answers in zip(chunk, scored, strict=True):
            if row.id not in journal:
                journal.append(row.id, {"answers": answers})


async def _scored(
    rows: Sequence[Row], written: Sequence[Sequence[str]], scorer: Scorer, form_weight: float
) -> list[list[dict[str, Any]]]:
    async def one(row: Row, text: str) -> dict[str, Any] | None:
        reward = await scorer.score(row.prompt, text, row.rubric)
        if reward is None:
            return None
        return {"text": text, "value": reward.value + form_weight * form(text), "form": form(text)}

    found = []
    for row, texts in zip(rows, written, strict=True):
        answers = await asyncio.gather(*(one(row, text) for text in texts))
        found.append([answer for answer in answers if answer is not None])
    return found


def pairs(rows: Sequence[Row], journal: Mapping[str, Mapping[str, Any]], *, gap: float = 0.1) -> list[Pair]:
    """For each row its best and worst answers, where they are at least `gap` apart and the best is well formed."""
    found = []
    for row in rows:
        answers = [Answer(**answer) for answer in journal[row.id]["answers"]]
        if not answers:
            continue
        pair = Pair(row, max(answers, key=lambda a: (a.form, a.value)), min(answers, key=lambda a: a.value))
        if pair.best.form and pair.gap >= gap:
            found.append(pair)
    return found
