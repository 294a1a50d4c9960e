"""Physicians' labels and the reader's evidence in; calibrated heads and baselines' thresholds out, fold by fold.

Each head is fitted on rows that `training_rows` hands out, and those of its fold are not among them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from service.entailment.calibration import ASKED, FEATURES, Evidence, Head
from service.entailment.reader import question_key
from service.judge_evaluation.fitting import best_threshold, expected_threshold, folds_of
from training.judge.folds import Folds, TrainingRows, training_rows

_STEPS = 60
_INNER = 5
Score = Callable[[Mapping[str, Any]], float]
Read = Callable[[Mapping[str, Any]], Evidence]
# What nearness and words say by a fit on rows that were written here: one number, moved by no physician's label.
_WRITTEN: Final = "written"
# What a head may weigh, and how strongly its weights may be pulled to zero. Physicians' labels are few: weights that
# were all fitted to them held less well, in folds within them, than the one number that they scale.
_WORDS = ("whole", "nearest", "numbers", "opposed")
WEIGHED: Final = (
    (_WRITTEN,),
    (_WRITTEN, "logit"),
)
# Without written rows.
UNWRITTEN: Final = (("logit", "whole"), ("logit", "mean_4", "worst_4", "mean_6", "worst_6", *_WORDS))
PULLS: Final = (0.5, 2.0, 8.0, 25.0)
_WRITTEN_PULL: Final = 8.0
# How far what is known of the question may lower the log-odds of the fit on written rows, before it is scaled.
_DOUBT: Final = 1.0


@dataclass(frozen=True, slots=True)
class Fitted:
    """The head of all rows, and one a fold that has not seen its questions; likewise a baseline's thresholds."""

    head: Head
    heads: tuple[Head, ...]


@dataclass(frozen=True, slots=True)
class Base:
    """A logistic model over `FEATURES` and `ASKED`, fitted on rows that were written here."""

    weights: Mapping[str, float]
    asked: Mapping[str, float]
    bias: float


def votes(row: Mapping[str, Any]) -> list[bool]:
    """What each physician said: told, or not."""
    return [row[name] == "Entailment" for name in ("label_0", "label_1", "label_2")]


def fit_heads(
    rows: Sequence[Mapping[str, Any]],
    evidence: Read,
    folds: Folds,
    *,
    written: Sequence[Mapping[str, Any]] = (),
) -> Fitted:
    """Fit a head on all rows and one without each fold. `written` rows have `told` instead of physicians' labels."""
    base = _base(written, evidence)
    heads = tuple(fit_head(training_rows(rows, folds, without=k), evidence, base) for k in range(folds.count))
    return Fitted(fit_head(training_rows(rows, folds, without=None), evidence, base), heads)


def fit_thresholds(rows: Sequence[Mapping[str, Any]], score: Score, folds: Folds) -> tuple[float, ...]:
    """A baseline's threshold without each fold, and last that of all rows."""
    parts = [training_rows(rows, folds, without=k) for k in (*range(folds.count), None)]
    return tuple(
        round(best_threshold(np.array([score(r) for r in part]), [votes(r) for r in part]), 4) for part in parts
    )


def fit_head(rows: TrainingRows, evidence: Read, base: Base | None = None) -> Head:
    """A ridge logistic model and the threshold that suits it.

    Which evidence it weighs, and how strongly weights are pulled to zero, is chosen by folds within these rows alone.
    """
    columns = _columns([evidence(row) for row in rows], base)
    target = np.array([np.mean(votes(row)) for row in rows], dtype=np.float64)
    inner = folds_of([question_key(row["Question"]) for row in rows], count=_INNER)
    names, pull = min(
        ((names, pull) for names in (UNWRITTEN if base is None else WEIGHED) for pull in PULLS),
        key=lambda choice: _surprise(_stacked(columns, choice[0]), target, inner, pull=choice[1]),
    )
    chosen = _stacked(columns, names)
    slopes, bias = _logistic(chosen, target, pull=pull)
    chances = _chances(chosen @ slopes + bias)
    weights = dict(zip(names, slopes.tolist(), strict=True))
    share = weights.pop(_WRITTEN, 0.0)
    if base is None or not share:
        return Head.of(weights, bias, expected_threshold(chances))
    scaled = {name: share * weight for name, weight in base.asked.items()}
    weights = {name: weights.get(name, 0.0) + share * base.weights.get(name, 0.0) for name in FEATURES}
    return Head.of(weights, bias + share * base.bias, expected_threshold(chances), asked=scaled, doubt=share * _DOUBT)


def _base(written: Sequence[Mapping[str, Any]], evidence: Read) -> Base | None:
    """All but the logit, which has learnt these very rows; None of no rows."""
    if not written:
        return None
    found = [evidence(row) for row in written]
    told = np.array([row["told"] for row in written])
    names = [name for name in FEATURES if name != "logit"]
    features = np.hstack([_stacked(_columns(found, None), names), np.array([each.asked for each in found])])
    slopes, bias = _logistic(features, told, pull=_WRITTEN_PULL)
    weights = slopes.tolist()
    return Base(
        dict(zip(names, weights[: len(names)], strict=True)), dict(zip(ASKED, weights[len(names) :], strict=True)), bias
    )


def _columns(found: Sequence[Evidence], base: Base | None) -> dict[str, NDArray[np.float64]]:
    features = np.array([each.features for each in found])
    columns = dict(zip(FEATURES, features.T, strict=True))
    if base is not None:
        asked = np.array([each.asked for each in found]) @ np.array([base.asked[name] for name in ASKED])
        plain = base.bias + sum(weight * columns[name] for name, weight in base.weights.items())
        columns[_WRITTEN] = plain + np.clip(asked, -_DOUBT, 0.0)
    return columns


def _stacked(columns: Mapping[str, NDArray[np.float64]], names: Sequence[str]) -> NDArray[np.float64]:
    return np.stack([columns[name] for name in names], axis=1)


def _surprise(
    features: NDArray[np.float64], target: NDArray[np.float64], folds: NDArray[np.int64], *, pull: float
) -> float:
    """The mean log loss on each fold by a fit of the others; of a single fold, that of its own fit."""
    total = 0.0
    for fold in np.unique(folds):
        mine = folds == fold
        others = ~mine if not mine.all() else mine
        slopes, bias = _logistic(features[others], target[others], pull=pull)
        odds = features[mine] @ slopes + bias
        total += float((np.logaddexp(0.0, odds) - target[mine] * odds).sum())
    return total / len(target)


def _logistic(
    features: NDArray[np.float64], target: NDArray[np.float64], *, pull: float
) -> tuple[NDArray[np.float64], float]:
    """Weights and bias, by Newton's method on features of one spread."""
    spread, middle = features.std(axis=0) + 1e-6, features.mean(axis=0)
    design = np.hstack([(features - middle) / spread, np.ones((len(features), 1))])
    ridge = np.diag(np.append(np.full(features.shape[1], pull), 1e-6))
    weights = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        chances = _chances(design @ weights)
        slope = design.T @ (chances - target) + ridge @ weights
        curve = design.T @ (design * (chances * (1 - chances) + 1e-9)[:, None]) + ridge
        weights = weights - np.linalg.solve(curve, slope)
    slopes = weights[:-1] / spread
    return slopes, float(weights[-1] - slopes @ middle)


def _chances(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    chances: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(odds, -500, 500)))
    return chances
