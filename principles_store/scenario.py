"""A query in; the probability of every named level in each of the four dimensions out, without a model call.

Two readers, blended: a softmax on the query's vector, the shape of its words and their hints; and what is known of the
principles that lie nearest (the labels of their queries, and their own level).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from principles_store.cues import CUE_WIDTH, cues
from principles_store.errors import IndexUnusable
from principles_store.schema import LEVELS, Dimension, LabelledQuery, Principle
from principles_store.surface import SURFACE_WIDTH, surface

# Chosen by cross-validation within the tuning families of the labelled queries (kinship.py); the optimum is flat.
PENALTY: Final = 0.2
BLEND: Final = 0.5
SHARPNESS: Final = 1 / 0.03
_STEPS: Final = 200


@dataclass(frozen=True, slots=True)
class Near:
    """The candidates for one query: positions among the principles, nearest first, and their scores."""

    positions: NDArray[np.int64]
    scores: NDArray[np.float32]


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


@dataclass(frozen=True, slots=True)
class Head:
    """A dimension: weights [levels, width + surface + cues + 1], bias last; `known` [principles, levels], rows of 1."""

    weights: NDArray[np.float32]
    known: NDArray[np.float32]

    def read(self, features: NDArray[np.float32], near: Near) -> NDArray[np.float64]:
        """Probabilities [levels]."""
        words = softmax(self.weights[:, :-1] @ features + self.weights[:, -1])
        nearness = softmax(near.scores * SHARPNESS) @ self.known[near.positions]
        blended: NDArray[np.float64] = (1 - BLEND) * words + BLEND * nearness
        return blended


class Heads:
    """A head for each dimension. Read-only, so threads may share it."""

    def __init__(self, heads: Mapping[Dimension, Head]) -> None:
        self._heads = dict(heads)

    @classmethod
    def fit(
        cls, vectors: NDArray[np.float32], queries: Sequence[LabelledQuery], principles: Sequence[Principle]
    ) -> "Heads":
        """Fit on vectors [queries, width] and the queries' labels; `principles` in order of id."""
        features = np.stack([_features(v, q.text) for v, q in zip(vectors, queries, strict=True)])
        # There are fewer queries than features: fitting in the queries' own span gives the same weights, sooner.
        _, _, span = np.linalg.svd(features, full_matrices=False)
        within = features @ span.T
        heads = {}
        for dimension, levels in LEVELS.items():
            weights = fit_softmax(within, codes(queries, dimension), levels=len(levels))
            back = np.hstack([weights[:, :-1] @ span, weights[:, -1:]])
            heads[dimension] = Head(back, known(queries, principles, dimension))
        return cls(heads)

    def read(self, query: str, vector: NDArray[np.float32], near: Near) -> Scenario:
        """The scenario of one query, from its words, its unit vector and the principles near it."""
        features = _features(vector, query)
        return Scenario(
            {
                dimension: dict(zip(LEVELS[dimension], head.read(features, near).tolist(), strict=True))
                for dimension, head in self._heads.items()
            }
        )

    def save(self, path: Path) -> None:
        """Write the heads to one .npz."""
        weights = {f"{d.value}.weights": head.weights for d, head in self._heads.items()}
        tables = {f"{d.value}.known": head.known for d, head in self._heads.items()}
        np.savez(path, allow_pickle=False, **weights, **tables)

    @classmethod
    def load(cls, path: Path, *, width: int, principles: int) -> "Heads":
        """Read the heads.

        Raises:
            IndexUnusable: the file is not ours, or was fitted on vectors of another width or other principles.

        """
        try:
            with np.load(path, allow_pickle=False) as file:
                heads = {d: Head(file[f"{d.value}.weights"], file[f"{d.value}.known"]) for d in Dimension}
        except (OSError, KeyError, ValueError) as error:
            raise IndexUnusable(f"{path}: not readable: run `clinalign principles build`") from error
        for dimension, head in heads.items():
            levels = len(LEVELS[dimension])
            if head.weights.shape != (levels, width + SURFACE_WIDTH + CUE_WIDTH + 1) or head.known.shape != (
                principles,
                levels,
            ):
                raise IndexUnusable(f"{path}: fitted on something else: run `clinalign principles build`")
        return cls(heads)


def codes(queries: Sequence[LabelledQuery], dimension: Dimension) -> NDArray[np.int64]:
    """The queries' labels in one dimension, as positions among its levels."""
    return np.array([LEVELS[dimension].index(query.label(dimension)) for query in queries], dtype=np.int64)


def known(
    queries: Sequence[LabelledQuery], principles: Sequence[Principle], dimension: Dimension
) -> NDArray[np.float32]:
    """For each principle the share of each level among its queries, its own level counting as one more query.

    The overall shares count as one query too, so that a principle nobody asked about reads as an average one.
    """
    labels = codes(queries, dimension)
    levels = LEVELS[dimension]
    overall = np.bincount(labels, minlength=len(levels)) / len(labels)
    table = np.tile(overall, (len(principles), 1))
    rows = {principle.id: row for row, principle in enumerate(principles)}
    for query, label in zip(queries, labels, strict=True):
        if query.principle in rows:
            table[rows[query.principle], label] += 1
    for principle, row in zip(principles, table, strict=True):
        if principle.dimension is dimension:
            row[levels.index(principle.level)] += 1
    shares: NDArray[np.float32] = (table / table.sum(axis=1, keepdims=True)).astype(np.float32)
    return shares


def fit_softmax(
    features: NDArray[np.float32], labels: NDArray[np.int64], *, levels: int, penalty: float = PENALTY
) -> NDArray[np.float32]:
    """Weights [levels, width + 1] of a softmax regression, every level of equal weight, bias unpenalised.

    Accelerated gradient descent with the step that the curvature allows: it cannot diverge, and needs no tuning.
    """
    inputs = np.hstack([features, np.ones((len(features), 1))]).astype(np.float32)
    targets = np.eye(levels)[labels]
    share = _balanced(targets)[:, None]
    ridge = np.append(np.full(features.shape[1], penalty / len(features)), 0.0).astype(np.float32)
    scaled = inputs * np.sqrt(share).astype(np.float32)
    step = np.float32(1.0 / (0.5 * np.linalg.norm(scaled, ord=2) ** 2 + penalty / len(features)))
    weights: NDArray[np.float32] = np.zeros((levels, inputs.shape[1]), dtype=np.float32)
    ahead = weights
    for turn in range(_STEPS):
        wrong = ((softmax(inputs @ ahead.T) - targets) * share).astype(np.float32)
        moved: NDArray[np.float32] = (ahead - step * (wrong.T @ inputs + ridge * ahead)).astype(np.float32)
        ahead = (moved + np.float32(turn / (turn + 3)) * (moved - weights)).astype(np.float32)
        weights = moved
    return weights


def softmax(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Rows of scores to rows of probabilities."""
    powers = np.exp(scores.astype(np.float64) - scores.max(axis=-1, keepdims=True))
    shares: NDArray[np.float64] = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def _features(vector: NDArray[np.float32], text: str) -> NDArray[np.float32]:
    return np.concatenate([vector, surface(text), cues(text)])


def _balanced(targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """A share for each example such that the levels that occur weigh the same and all shares sum to 1."""
    counts = targets.sum(axis=0)
    each = targets @ (1.0 / np.maximum(counts, 1.0))
    shares: NDArray[np.float64] = each / each.sum()
    return shares
