"""A query's vector in; the probability of every named level in each of the four dimensions out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from principles_store.errors import IndexUnusable
from principles_store.schema import LEVELS, Dimension, LabelledQuery

# Chosen by cross-validation on the labelled queries (`clinalign principles evaluate`); the optimum is flat.
PENALTY: Final = 0.06
_STEPS: Final = 400


@dataclass(frozen=True, slots=True)
class Scenario:
    """For each dimension, a probability for each of its levels; `label` gives the likeliest."""

    probabilities: Mapping[Dimension, Mapping[str, float]]

    def label(self, dimension: Dimension) -> str:
        """The likeliest level."""
        levels = self.probabilities[dimension]
        return max(levels, key=lambda level: levels[level])

    def probability(self, dimension: Dimension, level: str) -> float:
        """In [0, 1]; the levels of a dimension sum to 1."""
        return self.probabilities[dimension][level]

    @property
    def labels(self) -> dict[Dimension, str]:
        """The likeliest level of each dimension."""
        return {dimension: self.label(dimension) for dimension in self.probabilities}


class Heads:
    """One linear layer and softmax a dimension, on the query's vector: weights [levels, width + 1], bias last."""

    def __init__(self, weights: Mapping[Dimension, NDArray[np.float32]]) -> None:
        self._weights = dict(weights)

    @classmethod
    def fit(cls, vectors: NDArray[np.float32], queries: Sequence[LabelledQuery]) -> "Heads":
        """Fit on vectors [queries, width] and their queries' labels."""
        return cls(
            {
                dimension: fit_softmax(vectors, codes(queries, dimension), levels=len(LEVELS[dimension]))
                for dimension in Dimension
            }
        )

    def read(self, vector: NDArray[np.float32]) -> Scenario:
        """The scenario of one query."""
        return Scenario(
            {
                dimension: dict(zip(LEVELS[dimension], softmax(_affine(vector[None], w))[0].tolist(), strict=True))
                for dimension, w in self._weights.items()
            }
        )

    def save(self, path: Path) -> None:
        """Write the weights to one .npz."""
        np.savez(path, allow_pickle=False, **{d.value: weights for d, weights in self._weights.items()})

    @classmethod
    def load(cls, path: Path, *, width: int) -> "Heads":
        """Read the weights.

        Raises:
            IndexUnusable: the file is not ours, or was fitted on vectors of another width.

        """
        try:
            with np.load(path, allow_pickle=False) as file:
                weights = {dimension: file[dimension.value] for dimension in Dimension}
        except (OSError, KeyError, ValueError) as error:
            raise IndexUnusable(f"{path}: not readable: run `clinalign principles build`") from error
        if any(w.shape != (len(LEVELS[d]), width + 1) for d, w in weights.items()):
            raise IndexUnusable(f"{path}: fitted on vectors of another width: run `clinalign principles build`")
        return cls(weights)


def codes(queries: Sequence[LabelledQuery], dimension: Dimension) -> NDArray[np.int64]:
    """The queries' labels in one dimension, as positions among its levels."""
    return np.array([LEVELS[dimension].index(query.label(dimension)) for query in queries], dtype=np.int64)


def fit_softmax(
    vectors: NDArray[np.float32], labels: NDArray[np.int64], *, levels: int, penalty: float = PENALTY
) -> NDArray[np.float32]:
    """Weights [levels, width + 1] of a softmax regression, every level of equal weight, bias unpenalised.

    Accelerated gradient descent with the step that the curvature allows: it cannot diverge, and needs no tuning.
    """
    inputs = np.hstack([vectors.astype(np.float64), np.ones((len(vectors), 1))])
    targets = np.eye(levels)[labels]
    share = _balanced(targets)
    ridge = np.append(np.full(vectors.shape[1], penalty / len(vectors)), 0.0)
    step = 1.0 / (0.5 * np.linalg.eigvalsh((inputs * share[:, None]).T @ inputs).max() + penalty / len(vectors))
    weights = ahead = np.zeros((levels, inputs.shape[1]))
    for turn in range(_STEPS):
        slope = ((softmax(inputs @ ahead.T) - targets) * share[:, None]).T @ inputs + ridge * ahead
        moved = ahead - step * slope
        ahead = moved + turn / (turn + 3) * (moved - weights)
        weights = moved
    return weights.astype(np.float32)


def softmax(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Rows of scores to rows of probabilities."""
    powers = np.exp(scores.astype(np.float64) - scores.max(axis=-1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def _affine(vectors: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    scores: NDArray[np.float32] = vectors @ weights[:, :-1].T + weights[:, -1]
    return scores


def _balanced(targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """A share for each example such that the levels that occur weigh the same and all shares sum to 1."""
    counts = targets.sum(axis=0)
    each = targets @ (1.0 / np.maximum(counts, 1.0))
    shares: NDArray[np.float64] = each / each.sum()
    return shares
