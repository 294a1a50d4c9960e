"""Physicians' labels parted by question: what is fitted never holds a row of the fold that it is reported on."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.entailment.reader import question_key

LABELS = "kqa_nli_physician_labels.jsonl"
ANSWERS = "kqa_answers.jsonl"
MEDQUAD = "medquad_qa.jsonl.gz"


@dataclass(frozen=True, slots=True)
class Folds:
    """Which fold each labelled question is reported in. Made from the questions alone, so it never sees a label."""

    count: int
    of: Mapping[str, int]

    @classmethod
    def of_questions(cls, questions: Sequence[str], *, count: int) -> "Folds":
        """Deal the questions out in the order of their hashes, so that folds differ by one question at most."""
        keys = sorted({question_key(question) for question in questions})
        return cls(count, {key: at % count for at, key in enumerate(keys)})

    def held_out(self, question: str) -> int | None:
        """The fold that this question is reported in; None when it has no labels."""
        return self.of.get(question_key(question))


@dataclass(frozen=True, slots=True)
class TrainingRows(Sequence[Mapping[str, Any]]):
    """Rows that may be fitted on. `without` is the fold whose questions were taken out; None: nothing is reported."""

    rows: tuple[Mapping[str, Any], ...]
    without: int | None

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, at: Any) -> Any:
        return self.rows[at]

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return iter(self.rows)


def training_rows(rows: Sequence[Mapping[str, Any]], folds: Folds, *, without: int | None) -> TrainingRows:
    """The rows that fold `without` may be fitted on: those of its questions are not in what is returned."""
    return TrainingRows(tuple(r for r in rows if without is None or folds.held_out(r["Question"]) != without), without)


def unlabelled(rows: Sequence[Mapping[str, Any]], folds: Folds) -> list[Mapping[str, Any]]:
    """Rows of questions that no physician labelled: the network is trained on no others."""
    return [row for row in rows if folds.held_out(row["Question"]) is None]


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
