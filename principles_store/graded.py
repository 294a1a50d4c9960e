"""Labels of real questions and a folder with their texts in; rankings' recall and gain out.

The labels name a row of a public file and the hash of its text, never the text. They were given by a language model
working as an engineer, one reader, not by clinicians: `LABELLED_BY` goes wherever the figures go.
"""

import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from principles_store.errors import StoreError
from principles_store.paths import PACKAGE

LABELS: Final = PACKAGE / "relevance.jsonl"
LABELLED_BY: Final = "a language model working as an engineer, single reader, not clinicians"
RELEVANT: Final = 2
_DEPTH: Final = 10
# Where each source keeps its texts: file and field. Texts are found by their hash: a row's name need not be its own.
SOURCES: Final = {
    "kqa": ("kqa_questions.jsonl", "Question"),
    "healthbench": ("healthbench_prompts_5000.jsonl.gz", "first_user_turn"),
    "medquad": ("medquad_qa.jsonl.gz", "question"),
}


class Half(StrEnum):
    """Weights are chosen on `tuning`; `reporting` is only counted."""

    TUNING = "tuning"
    REPORTING = "reporting"


def half_of(digest: str) -> Half:
    """By the hash of the text in hex, so that a text keeps its half whatever file it comes in."""
    return Half.REPORTING if int(digest, 16) % 2 else Half.TUNING


@dataclass(frozen=True, slots=True)
class Judged:
    """A real question, and the grade (1 touches it, 2 applies, 3 is what it is about) of each principle with one."""

    source: str
    text: str
    sha256: str
    grades: Mapping[str, int]

    @property
    def half(self) -> Half:
        """Which half it falls in."""
        return half_of(self.sha256)


@dataclass(frozen=True, slots=True)
class Gains:
    """What a ranking finds, one number a question: shares of the principles of grade 2 or 3, and nDCG at 10."""

    recall5: NDArray[np.float64]
    recall10: NDArray[np.float64]
    ndcg: NDArray[np.float64]


def read_judged(folder: Path, labels: Path = LABELS) -> tuple[Judged, ...]:
    """The labelled questions with their texts.

    Raises:
        StoreError: a file is missing or unreadable, or a row is not the one that was labelled.

    """
    entries = [json.loads(line) for line in labels.read_text(encoding="utf-8").splitlines()]
    texts = {source: _texts(folder, source) for source in sorted({entry["source"] for entry in entries})}
    found = []
    for entry in entries:
        text = texts[entry["source"]].get(entry["sha256"])
        if text is None:
            raise StoreError(f"{folder}: row {entry['row']!r} of {entry['source']} is not the text that was labelled")
        grades = {name: int(grade) for grade, names in entry["grades"].items() for name in names}
        found.append(Judged(entry["source"], text, entry["sha256"], grades))
    return tuple(found)


def rows_of(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSONL file, gzipped or not.

    Raises:
        StoreError: it cannot be read as such.

    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        yield from (json.loads(line) for line in content.decode().split("\n") if line.strip())
    except (OSError, EOFError, ValueError) as error:
        raise StoreError(f"{path}: cannot be read as lines of JSON ({type(error).__name__})") from error


def gains(rankings: Sequence[Sequence[str]], judged: Sequence[Judged]) -> Gains:
    """Measure rankings (ids, best first) of questions that have at least one principle of grade 2 or more."""
    rows = [_gains(ranking, one.grades) for ranking, one in zip(rankings, judged, strict=True)]
    table = np.array(rows, dtype=np.float64).reshape(-1, 3)
    return Gains(table[:, 0], table[:, 1], table[:, 2])


def _gains(ranking: Sequence[str], grades: Mapping[str, int]) -> tuple[float, float, float]:
    relevant = {name for name, grade in grades.items() if grade >= RELEVANT}
    best = _discounted(sorted(grades.values(), reverse=True))
    got = _discounted([grades.get(name, 0) for name in ranking])
    shares = (len(relevant.intersection(ranking[:depth])) / max(len(relevant), 1) for depth in (5, _DEPTH))
    return (*shares, got / best if best else 0.0)  # type: ignore[return-value]  # two shares: the depths above


def _discounted(grades: Sequence[int]) -> float:
    return float(sum((2**grade - 1) / np.log2(2 + place) for place, grade in enumerate(grades[:_DEPTH])))


def _texts(folder: Path, source: str) -> dict[str, str]:
    file, field = SOURCES[source]
    try:
        texts = [str(row[field]) for row in rows_of(folder / file)]
    except KeyError as error:
        raise StoreError(f"{folder / file}: a row has no {error}") from error
    return {hashlib.sha256(text.encode()).hexdigest(): text for text in texts}
