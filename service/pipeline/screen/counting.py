"""Counting: labelled rows of both folds go in one by one, only counts come out."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from service.domain.conversation import Conversation
from service.pipeline.screen.rows import Fold, Row

_Z: Final = 1.959964  # two-sided 95 %
RULES: Final = "rules"
HEAD: Final = "head"
BOTH: Final = "both"
SOURCES: Final = (RULES, HEAD, BOTH)

Families = Mapping[str, tuple[str, ...]]  # by source, the families that were raised
Look = Callable[[Conversation], Families]


@dataclass(frozen=True, slots=True)
class Rate:
    """Of `total` rows of a label in a fold, `flagged` were flagged by a source; `low` and `high` bound it (95 %)."""

    source: str
    label: str
    fold: str
    flagged: int
    total: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """In [0, 1]; sensitivity for the label `emergent`, the rate of false alarms for routine rows."""
        return self.flagged / self.total if self.total else 0.0


@dataclass(slots=True)
class Tally:
    """Counts that grow row by row. The rows themselves are not kept."""

    _totals: Counter[tuple[str, str]] = field(default_factory=Counter)
    _flagged: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    _families: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def add(self, label: str, fold: str, families: Families) -> None:
        """Take in one row."""
        self._totals[label, fold] += 1
        for source, raised in families.items():
            self._flagged[source, label, fold] += bool(raised)
            for family in raised:
                self._families[source, label, family] += 1

    def rates(self) -> tuple[Rate, ...]:
        """Every source, label and fold."""
        return tuple(
            Rate(source, label, fold, n := self._flagged[source, label, fold], total, *wilson(n, total))
            for (label, fold), total in sorted(self._totals.items())
            for source in sorted({source for source, *_ in self._flagged}, key=_place)
        )

    def families(self) -> dict[str, dict[str, dict[str, int]]]:
        """By source and label, how many rows of both folds raised each family, the commonest first."""
        found: dict[str, dict[str, dict[str, int]]] = {}
        for (source, label, family), count in self._families.most_common():
            found.setdefault(source, {}).setdefault(label, {})[family] = count
        return found


def tally(rows: Iterable[Row], look: Look, *, into: Tally, label: str | None = None) -> None:
    """Count the rows under `label`, or each under its own."""
    for row in rows:
        into.add(label or row.label, Fold(row.fold).value, look(row.conversation))


def wilson(successes: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a share; (0, 1) where there is nothing to count."""
    if not total:
        return 0.0, 1.0
    share, spread = successes / total, _Z**2 / total
    middle = (share + spread / 2) / (1 + spread)
    half = _Z * math.sqrt(share * (1 - share) / total + spread / (4 * total)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def _place(source: str) -> tuple[int, str]:
    return (SOURCES.index(source) if source in SOURCES else len(SOURCES), source)
