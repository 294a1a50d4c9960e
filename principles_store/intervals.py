"""Numbers per row and the cluster each row belongs to in; a statistic with its 95 % bootstrap interval out."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

RESAMPLES: Final = 1000
_SEED: Final = 7


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value over `count` rows, and the bounds of its 95 % interval."""

    value: float
    low: float
    high: float
    count: int


def bootstrap(
    statistic: Callable[[NDArray[np.int64]], float], clusters: Sequence[Hashable], *, resamples: int = RESAMPLES
) -> Estimate:
    """`statistic` of row positions, over all rows and over resamples of whole clusters; always the same resamples."""
    members: dict[Hashable, list[int]] = {}
    for row, cluster in enumerate(clusters):
        members.setdefault(cluster, []).append(row)
    groups = [np.array(rows, dtype=np.int64) for rows in members.values()]
    everything = np.arange(len(clusters), dtype=np.int64)
    if not groups:
        return Estimate(0.0, 0.0, 1.0, 0)
    random = np.random.default_rng(_SEED)
    drawn = [random.integers(0, len(groups), len(groups)) for _ in range(resamples)]
    values = [statistic(np.concatenate([groups[place] for place in places])) for places in drawn]
    low, high = np.percentile(values, [2.5, 97.5])
    return Estimate(statistic(everything), float(low), float(high), len(clusters))


def mean(
    values: NDArray[np.float64], clusters: Sequence[Hashable] | None = None, *, resamples: int = RESAMPLES
) -> Estimate:
    """The mean of values, each its own cluster unless said otherwise."""
    own = range(len(values)) if clusters is None else clusters
    return bootstrap(lambda rows: float(values[rows].mean()), own, resamples=resamples)
