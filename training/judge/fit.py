"""Physicians' labels and the reader's evidence in; calibrated heads and baselines' thresholds out, fold by fold.

Each head is fitted on rows that `training_rows` hands out, and those of its fold are not among them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from service.entailment.calibration import ASKED, FEATURES, Evidence, Head
from service.entailment.reader import question_key
from service.judge_evaluation.fitting import best_threshold, expected_threshold, folds_of
from training.judge.folds import Folds, TrainingRows, training_rows
from training.judge.logistic import chances, logistic

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
_DOUBT: Final = 1.5
_MOSTLY: Final = (0.6, 0.8, 0.95)  # of the written rows' questions lower something when the fit begins


@dataclass(frozen=True, slots=True)
class Fitted:
    """The head of all rows, and one a fold that has not seen its questions; likewise a baseline's thresholds."""

    head: Head
    heads: tuple[Head, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """What is known of a claim that was written here, by networks that had not learnt it, and how far it is told."""

    evidence: Evidence
    told: float
    origin: str = ""
    fold: int = 0


@dataclass(frozen=True, slots=True)
class Base:
    """A logistic model over `FEATURES`, and what `ASKED` takes from it, fitted on rows that were written here."""

    weights: Mapping[str, float]
    asked: Mapping[str, float]
    slack: float
    bias: float


def votes(row: Mapping[str, Any]) -> list[bool]:
    """What each physician said: told, or not."""
    return [row[name] == "Entailment" for name in ("label_0", "label_1", "label_2")]


def fit_heads(
    rows: Sequence[Mapping[str, Any]],
    evidence: Read,
    folds: Folds,
    *,
    written: Sequence[Written] = (),
) -> Fitted:
    """Fit a head on all rows and one without each fold."""
    base = _base(written)
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
    slopes, bias = logistic(chosen, target, pull=pull)
    likely = chances(chosen @ slopes + bias)
    weights = dict(zip(names, slopes.tolist(), strict=True))
    share = weights.pop(_WRITTEN, 0.0)
    if base is None or not share:
        return Head.of(weights, bias, expected_threshold(likely))
    scaled = {name: share * weight for name, weight in base.asked.items()}
    weights = {name: weights.get(name, 0.0) + share * base.weights.get(name, 0.0) for name in FEATURES}
    return Head.of(
        weights,
        bias + share * base.bias,
        expected_threshold(likely),
        asked=scaled,
        slack=share * base.slack,
        doubt=share * _DOUBT,
    )


def _base(written: Sequence[Written]) -> Base | None:
    """None of no rows."""
    if not written:
        return None
    told = np.array([each.told for each in written])
    plain, asked = (np.array([getattr(each.evidence, kind) for each in written]) for kind in ("features", "asked"))
    weights, slopes, slack, bias = _doubting(plain, asked, told, pull=_WRITTEN_PULL)
    return Base(
        dict(zip(FEATURES, weights.tolist(), strict=True)), dict(zip(ASKED, slopes.tolist(), strict=True)), slack, bias
    )


def _columns(found: Sequence[Evidence], base: Base | None) -> dict[str, NDArray[np.float64]]:
    features = np.array([each.features for each in found])
    columns = dict(zip(FEATURES, features.T, strict=True))
    if base is not None:
        asked = np.array([each.asked for each in found])
        slopes = np.array([base.asked[name] for name in ASKED])
        plain = base.bias + sum(weight * columns[name] for name, weight in base.weights.items())
        columns[_WRITTEN] = plain + _lowered(asked @ slopes - base.slack, np.any(asked != 0.0, axis=1))
    return columns


def _lowered(shortfall: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """What the question takes from the log-odds; nothing where none is known."""
    return np.where(known, np.clip(shortfall, -_DOUBT, 0.0), 0.0)


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
        slopes, bias = logistic(features[others], target[others], pull=pull)
        odds = features[mine] @ slopes + bias
        total += float((np.logaddexp(0.0, odds) - target[mine] * odds).sum())
    return total / len(target)


def _doubting(
    plain: NDArray[np.float64], asked: NDArray[np.float64], target: NDArray[np.float64], *, pull: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], float, float]:
    """Weights of both, slack and bias, where what is asked can only lower the log-odds, and no more than the doubt.

    Newton's method on the rows whose question is neither silent nor at the bound; a step that makes it worse is halved.
    """
    known: NDArray[np.bool_] = np.any(asked != 0.0, axis=1)
    both = np.hstack([plain, asked])
    spread = np.concatenate([plain.std(axis=0), asked[known].std(axis=0)]) + 1e-6
    middle = np.concatenate([plain.mean(axis=0), asked[known].mean(axis=0)])
    design, split = (both - middle) / spread, plain.shape[1]
    ridge = np.diag([*[pull] * design.shape[1], 1e-6, 1e-6])

    def odds(weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        shortfall = design[:, split:] @ weights[split:-2] - weights[-2]
        active = known & (shortfall > -_DOUBT) & (shortfall < 0.0)
        return design[:, :split] @ weights[:split] + weights[-1] + _lowered(shortfall, known), active

    def cost(weights: NDArray[np.float64]) -> float:
        found, _ = odds(weights)
        return float((np.logaddexp(0.0, found) - target * found).sum() + weights @ ridge @ weights / 2)

    def fitted(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        for _ in range(_STEPS):
            found, active = odds(weights)
            moved = active.astype(np.float64)[:, None]
            slope_of = np.hstack([design[:, :split], design[:, split:] * moved, -moved, np.ones_like(moved)])
            likely = chances(found)
            slope = slope_of.T @ (likely - target) + ridge @ weights
            curve = slope_of.T @ (slope_of * (likely * (1 - likely) + 1e-9)[:, None]) + ridge
            step, now = np.linalg.solve(curve, slope), cost(weights)
            size = next((size for size in 0.5 ** np.arange(12) if cost(weights - size * step) < now - 1e-9), 0.0)
            if not size:
                break
            weights = weights - size * step
        return weights

    weights = min((fitted(each) for each in _beginnings(design, known, target, split, pull)), key=cost)
    scaled = weights[:-2] / spread
    slack = float(weights[-2] + scaled[split:] @ middle[split:])
    return scaled[:split], scaled[split:], slack, float(weights[-1] - scaled[:split] @ middle[:split])


def _beginnings(
    design: NDArray[np.float64], known: NDArray[np.bool_], target: NDArray[np.float64], split: int, pull: float
) -> Iterator[NDArray[np.float64]]:
    """Where the search for weights, slack and bias begins: what is asked as a plain fit weighs it, within the bounds.

    From where all lies beyond them there is no way back, so more than one share of the rows begins below the slack.
    """
    slopes, bias = logistic(design, target, pull=pull)
    taken = design[known, split:] @ slopes[split:]
    for share in _MOSTLY:
        low, high = np.quantile(taken, [1.0 - share, share])
        scale = min(1.0, _DOUBT / (high - low + 1e-9))
        slack = scale * high
        yield np.concatenate([slopes[:split], scale * slopes[split:], [slack, bias + slack]])
