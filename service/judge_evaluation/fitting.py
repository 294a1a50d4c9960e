"""Scores and people's labels in; the threshold and the temperature that suit them best out, and folds by question."""

import hashlib
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from service.judge_evaluation.measures import macro_f1

FOLDS: Final = 5
_TEMPERATURES: Final = np.geomspace(0.2, 20.0, 121)
MOST_TEMPERATURE: Final = float(_TEMPERATURES[-1])
_LEAST: Final = 1e-6
_HALVINGS: Final = 60
_LIMITS: Final = (0.02, 0.98)
# Thresholds this near to the best are as good: the middle of them depends least on single rows.
_AS_GOOD: Final = 0.01


def best_threshold(scores: NDArray[np.float64], labels: Sequence[Sequence[bool]]) -> float:
    """The middle of the thresholds whose macro-F1 against each label is within a hundredth of the best."""
    yes = np.array([sum(votes) for votes in labels], dtype=np.float64)
    return _best(scores, yes, np.array([len(votes) for votes in labels], dtype=np.float64) - yes)


def expected_threshold(probabilities: NDArray[np.float64]) -> float:
    """As `best_threshold`, where the probabilities themselves say what labels are to be expected.

    Some hundred labels place the edge between two rows by chance; probabilities that were fitted to them do not.
    """
    return _best(probabilities, probabilities, 1.0 - probabilities)


def _best(scores: NDArray[np.float64], yes: NDArray[np.float64], no: NDArray[np.float64]) -> float:
    candidates = np.unique(np.round(scores, 4))
    edges = np.concatenate([[scores.min()], (candidates[1:] + candidates[:-1]) / 2])
    told = scores[None, :] >= edges[:, None]
    quality = macro_f1(np.stack([told @ yes, told @ no, (~told) @ yes, (~told) @ no], axis=-1))
    return float(np.clip(np.median(edges[quality >= quality.max() - _AS_GOOD]), *_LIMITS))


def best_temperature(probabilities: NDArray[np.float64], labels: Sequence[Sequence[bool]]) -> tuple[float, float]:
    """What log-odds are to be divided by, and what is then taken off, for the labels to be least surprising."""
    held = np.clip(probabilities, _LEAST, 1.0 - _LEAST)
    odds, share = np.log(held / (1.0 - held)), np.array([np.mean(votes) for votes in labels])
    tempered = odds[None, :] / _TEMPERATURES[:, None]
    shift = _shifts(tempered, float(np.clip(share.mean(), _LIMITS[0], _LIMITS[1])))
    moved = tempered - shift[:, None]
    at = int((np.logaddexp(0.0, moved) - share * moved).mean(axis=1).argmin())
    return float(_TEMPERATURES[at]), float(shift[at])


def _shifts(odds: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """For each row what is to be taken off so that probabilities are on average the share, by halving."""
    low, high = np.full(len(odds), -100.0), np.full(len(odds), 100.0)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        more = (1.0 / (1.0 + np.exp(np.clip(middle[:, None] - odds, -500, 500)))).mean(axis=1) > share
        low, high = np.where(more, middle, low), np.where(more, high, middle)
    found: NDArray[np.float64] = (low + high) / 2
    return found


def folds_of(clusters: Sequence[str], *, count: int = FOLDS) -> NDArray[np.int64]:
    """The fold of each row: clusters are dealt out in the order of their hashes, so that no label decides."""
    names = sorted(set(clusters), key=lambda name: hashlib.sha256(name.encode()).digest())
    place = {name: at % count for at, name in enumerate(names)}
    return np.array([place[name] for name in clusters], dtype=np.int64)
