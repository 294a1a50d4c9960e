"""Shares with their counts and 95 % intervals, and macro-F1."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

_Z = 1.959964


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `count`."""

    hits: int
    count: int

    @property
    def value(self) -> float:
        """In [0, 1]; not a number when nothing was counted."""
        return self.hits / self.count if self.count else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval."""
        if not self.count:
            return math.nan, math.nan
        n, p = self.count, self.value
        centre = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
        half = _Z * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2)) / (1 + _Z**2 / n)
        return max(0.0, centre - half), min(1.0, centre + half)

    def to_json(self) -> dict[str, object]:
        """Share, counts and interval; null where nothing was counted."""
        if not self.count:
            return {"share": None, "hits": 0, "count": 0, "interval_95": None}
        return {
            "share": round(self.value, 4),
            "hits": self.hits,
            "count": self.count,
            "interval_95": [round(x, 4) for x in self.interval],
        }


def share(outcomes: Iterable[bool]) -> Share:
    """How many are true."""
    listed = list(outcomes)
    return Share(sum(listed), len(listed))


def macro_f1(pairs: Iterable[tuple[bool, bool]]) -> float:
    """The mean F1 of both classes over (label, prediction) pairs."""
    listed = list(pairs)
    return (_f1(listed, positive=True) + _f1(listed, positive=False)) / 2


def _f1(pairs: list[tuple[bool, bool]], *, positive: bool) -> float:
    right = sum(label is positive and said is positive for label, said in pairs)
    wrong = sum((label is positive) is not (said is positive) for label, said in pairs)
    return 2 * right / (2 * right + wrong) if right or wrong else math.nan
