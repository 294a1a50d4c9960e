"""Predictions and physicians' labels in; macro-F1, kappa, calibration and clustered intervals out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

RESAMPLES: Final = 2000
BINS: Final = 10
_SEED: Final = 20260209


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with the bounds of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Bin:
    """Rows whose probability falls in [low, high): their mean probability, and how often physicians said yes."""

    low: float
    high: float
    count: int
    probability: float
    observed: float


class Tally:
    """Counts of (said, label) pairs by cluster, [clusters, 4]: true and false positives, false and true negatives.

    A prediction is paired with every label of its row, as HealthBench's meta-evaluation does.
    """

    def __init__(self, said: Sequence[bool], labels: Sequence[Sequence[bool]], clusters: Sequence[str]) -> None:
        names = sorted(set(clusters))
        place = {name: at for at, name in enumerate(names)}
        self.counts = np.zeros((len(names), 4), dtype=np.float64)
        for told, votes, cluster in zip(said, labels, clusters, strict=True):
            for vote in votes:
                self.counts[place[cluster], _cell(told, vote)] += 1

    @property
    def macro_f1(self) -> float:
        """The mean of both classes' F1, in [0, 1]."""
        return float(macro_f1(self.counts.sum(axis=0)))

    @property
    def accuracy(self) -> float:
        """The share of pairs that agree."""
        total = self.counts.sum(axis=0)
        return float((total[0] + total[3]) / max(total.sum(), 1))

    @property
    def kappa(self) -> float:
        """Cohen's; 0 where chance alone would agree fully."""
        tp, fp, fn, tn = self.counts.sum(axis=0)
        n = max(tp + fp + fn + tn, 1)
        chance = ((tp + fp) * (tp + fn) + (fn + tn) * (fp + tn)) / n**2
        return float(((tp + tn) / n - chance) / (1 - chance)) if chance < 1 else 0.0

    def interval(self) -> Interval:
        """Macro-F1 with the interval of resampled clusters, of which there is one at least."""
        drawn = macro_f1(_weights(len(self.counts)) @ self.counts)
        return Interval(self.macro_f1, *_bounds(drawn))

    def above(self, other: "Tally") -> Interval:
        """How much higher the macro-F1 is than another's on the same rows, resampling both alike."""
        weights = _weights(len(self.counts))
        drawn = macro_f1(weights @ self.counts) - macro_f1(weights @ other.counts)
        return Interval(self.macro_f1 - other.macro_f1, *_bounds(drawn))


def macro_f1(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Counts [..., 4] to the mean of both classes' F1; a class that neither side knows counts as 0."""
    tp, fp, fn, tn = np.moveaxis(counts, -1, 0)
    met = 2 * tp / np.maximum(2 * tp + fp + fn, 1e-12)
    unmet = 2 * tn / np.maximum(2 * tn + fp + fn, 1e-12)
    mean: NDArray[np.float64] = (met + unmet) / 2
    return mean


def reliability(probabilities: Sequence[float], labels: Sequence[Sequence[bool]]) -> tuple[Bin, ...]:
    """Ten bins of equal width, those that are empty left out."""
    found = []
    chances = np.asarray(probabilities, dtype=np.float64)
    shares = np.array([np.mean(votes) for votes in labels], dtype=np.float64)
    places = np.minimum((chances * BINS).astype(int), BINS - 1)
    for at in range(BINS):
        mine = places == at
        if mine.any():
            mean, seen = float(chances[mine].mean()), float(shares[mine].mean())
            found.append(Bin(at / BINS, (at + 1) / BINS, int(mine.sum()), mean, seen))
    return tuple(found)


def expected_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error: how far probability and share lie apart, weighed by rows. 0 of nothing."""
    total = sum(each.count for each in bins)
    return sum(each.count * abs(each.probability - each.observed) for each in bins) / total if total else 0.0


def physicians(labels: Sequence[Sequence[bool]], clusters: Sequence[str]) -> Tally | None:
    """Each physician's label against each other's of the same row; None where no row has two."""
    said, against, where = [], [], []
    for votes, cluster in zip(labels, clusters, strict=True):
        for at, vote in enumerate(votes):
            others = [other for k, other in enumerate(votes) if k != at]
            if others:
                said.append(vote)
                against.append(others)
                where.append(cluster)
    return Tally(said, against, where) if said else None


def _cell(told: bool, vote: bool) -> int:  # noqa: FBT001 - a cell is two truths
    return (0 if vote else 1) if told else (2 if vote else 3)


def _weights(clusters: int) -> NDArray[np.float64]:
    """How often each cluster is drawn, [resamples, clusters]; the same for all that is compared."""
    rng = np.random.default_rng(_SEED)
    return rng.multinomial(clusters, np.full(clusters, 1 / clusters), size=RESAMPLES).astype(np.float64)


def _bounds(drawn: NDArray[np.float64]) -> tuple[float, float]:
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)
