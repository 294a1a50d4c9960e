"""Physicians' labels and the reader's evidence in; calibrated heads and baselines' thresholds out, fold by fold.

Each head is fitted on rows that `training_rows` hands out, and those of its fold are not among them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.entailment.calibration import FEATURES, Evidence, Head
from training.judge.folds import Folds, TrainingRows, training_rows

# How strongly weights are pulled to what the network says by itself: few labels must not outvote it.
_PULL = 2.0
_STEPS = 60
Score = Callable[[Mapping[str, Any]], float]
_FORWARD = np.array([1.0, 0.0, 0.0, 0.0, 0.0])


@dataclass(frozen=True, slots=True)
class Fitted:
    """The head of all rows, and one a fold that has not seen its questions; likewise a baseline's thresholds."""

    head: Head
    heads: tuple[Head, ...]


def votes(row: Mapping[str, Any]) -> list[bool]:
    """What each physician said: told, or not."""
    return [row[name] == "Entailment" for name in ("label_0", "label_1", "label_2")]


def fit_heads(
    rows: Sequence[Mapping[str, Any]], evidence: Callable[[Mapping[str, Any]], Evidence], folds: Folds
) -> Fitted:
    """Fit a head on all rows and one without each fold."""
    heads = tuple(fit_head(training_rows(rows, folds, without=k), evidence) for k in range(folds.count))
    return Fitted(fit_head(training_rows(rows, folds, without=None), evidence), heads)


def fit_thresholds(rows: Sequence[Mapping[str, Any]], score: Score, folds: Folds) -> tuple[float, ...]:
    """A baseline's threshold without each fold, and last that of all rows."""
    parts = [training_rows(rows, folds, without=k) for k in (*range(folds.count), None)]
    return tuple(round(best_threshold(np.array([score(r) for r in part]), part), 4) for part in parts)


def fit_head(rows: TrainingRows, evidence: Callable[[Mapping[str, Any]], Evidence]) -> Head:
    """A ridge logistic model by Newton's method, pulled to the network's own logit, and the threshold that suits it."""
    features = np.array([evidence(row).features for row in rows])
    spread = features.std(axis=0) + 1e-6
    middle = features.mean(axis=0)
    scaled = (features - middle) / spread
    target = np.array([np.mean(votes(row)) for row in rows])
    weights = _logistic(scaled, target, towards=_FORWARD * spread)
    slopes = weights[:-1] / spread
    bias = weights[-1] - float(slopes @ middle)
    chances = 1 / (1 + np.exp(-(features @ slopes + bias)))
    return Head.of(dict(zip(FEATURES, slopes.tolist(), strict=True)), bias, best_threshold(chances, rows))


def best_threshold(scores: NDArray[np.float64], rows: TrainingRows) -> float:
    """The middle of the thresholds whose macro-F1 against each physician's label is within a hundredth of the best."""
    candidates = np.unique(np.round(scores, 4))
    edges = np.concatenate([[scores.min()], (candidates[1:] + candidates[:-1]) / 2])
    labels = np.array([votes(row) for row in rows])
    quality = np.array([_macro_f1(scores >= edge, labels) for edge in edges])
    good = edges[quality >= quality.max() - 0.01]
    return float(np.clip(np.median(good), 0.02, 0.98))


def _macro_f1(told: NDArray[np.bool_], labels: NDArray[np.bool_]) -> float:
    said = np.repeat(told[:, None], labels.shape[1], axis=1)
    both = []
    for kind in (True, False):
        hits = ((said == kind) & (labels == kind)).sum()
        both.append(2 * hits / max(1, (said == kind).sum() + (labels == kind).sum()))
    return float(np.mean(both))


def _logistic(
    scaled: NDArray[np.float64], target: NDArray[np.float64], *, towards: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weights and, last, the bias."""
    design = np.hstack([scaled, np.ones((len(scaled), 1))])
    goal = np.append(towards, 0.0)
    ridge = np.diag(np.append(np.full(scaled.shape[1], _PULL), 1e-6))
    weights = goal * 0.5
    for _ in range(_STEPS):
        chances = 1 / (1 + np.exp(-(design @ weights)))
        slope = design.T @ (chances - target) + ridge @ (weights - goal)
        curve = design.T @ (design * (chances * (1 - chances) + 1e-9)[:, None]) + ridge
        weights = weights - np.linalg.solve(curve, slope)
    return weights
