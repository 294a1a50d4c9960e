"""Ranks, labels and similarities in; recall, F1, agreement and latency out, with counts and intervals."""

import hashlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from principles_store.schema import LabelledQuery


@dataclass(frozen=True, slots=True)
class Proportion:
    """A share with its counts and its 95 % Wilson interval."""

    hits: int
    total: int

    @property
    def value(self) -> float:
        """In [0, 1]; 0 of 0 is 0."""
        return self.hits / self.total if self.total else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper bound; of nothing, the whole range."""
        if not self.total:
            return 0.0, 1.0
        z, n, p = 1.959964, self.total, self.value
        middle = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, slots=True)
class Found:
    """Where each query's own principle came: recall at several depths, nDCG at 10, and the reciprocal of its rank."""

    recall: Mapping[int, Proportion]
    ndcg: float
    reciprocal_rank: float


@dataclass(frozen=True, slots=True)
class Reading:
    """How well one dimension is read, over the folds; `f1` by level."""

    macro_f1: float
    accuracy: Proportion
    f1: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds of one consultation, over `count` of them."""

    p50: float
    p99: float
    count: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often two encoders bring in the same principles: shared places of all places, and queries with equal sets."""

    shared: Proportion
    same_set: Proportion


def halves(queries: Sequence[LabelledQuery]) -> tuple[list[int], list[int]]:
    """Positions of the half that choices are made on, and of the half that is reported. Fixed by the texts alone."""
    sides: tuple[list[int], list[int]] = ([], [])
    for position, query in enumerate(queries):
        sides[int(hashlib.sha256(query.text.encode()).hexdigest(), 16) % 2].append(position)
    return sides


def found(ranks: Sequence[int | None], *, depths: Sequence[int] = (1, 5, 10)) -> Found:
    """Ranks from 1 of each query's own principle, None where it did not come."""
    total = len(ranks)
    recall = {k: Proportion(sum(r is not None and r <= k for r in ranks), total) for k in depths}
    gains = [1 / math.log2(1 + r) for r in ranks if r is not None and r <= 10]  # noqa: PLR2004 - nDCG at 10
    return Found(recall, sum(gains) / max(total, 1), sum(1 / r for r in ranks if r is not None) / max(total, 1))


def reading(truth: NDArray[np.int64], guess: NDArray[np.int64], levels: Sequence[str]) -> Reading:
    """F1 of each level and their plain mean; a level that neither occurs nor is guessed has F1 0."""
    f1 = {}
    for code, level in enumerate(levels):
        both = int(np.sum((truth == code) & (guess == code)))
        either = int(np.sum(truth == code) + np.sum(guess == code))
        f1[level] = 2 * both / either if either else 0.0
    right = Proportion(int(np.sum(truth == guess)), len(truth))
    return Reading(sum(f1.values()) / len(f1), right, f1)


def agreement(one: Sequence[Sequence[str]], other: Sequence[Sequence[str]]) -> Agreement:
    """Compare the ids that two encoders bring in for the same queries."""
    pairs = [(set(a), set(b)) for a, b in zip(one, other, strict=True)]
    return Agreement(
        shared=Proportion(sum(len(a & b) for a, b in pairs), sum(len(a) for a, _ in pairs)),
        same_set=Proportion(sum(a == b for a, b in pairs), len(pairs)),
    )


def latency(call: Callable[[str], object], texts: Sequence[str], *, warm_up: int = 10) -> Latency:
    """Time one call a text, after a few that are not counted."""
    for text in texts[:warm_up]:
        call(text)
    spent = []
    for text in texts:
        started = time.perf_counter()
        call(text)
        spent.append((time.perf_counter() - started) * 1e3)
    return Latency(float(np.percentile(spent, 50)), float(np.percentile(spent, 99)), len(spent))
