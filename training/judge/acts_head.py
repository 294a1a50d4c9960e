"""Acts that were written here in; a head for criteria that name acts out, and what it says of unknown ones."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from service.entailment.calibration import FEATURES, Head
from service.entailment.reader import decide
from training.intervals import share
from training.judge.fit import Written
from training.judge.logistic import logistic

_PULL: Final = 8.0
# Nobody but us labelled acts: a wrong verdict on one is as bad as three that are unknown.
_WRONG_COSTS: Final = 3
_SAID: Final = (("found", True), ("denied", False), ("unknown", None))


def fit_acts(written: Sequence[Written]) -> Head:
    """No physician labelled any act, so the head is fitted on those written here alone, and does not know between."""
    features = np.array([each.evidence.features for each in written])
    told = np.array([each.told for each in written])
    slopes, bias = logistic(features, told, pull=_PULL)
    doubt = round(1.0 / _WRONG_COSTS, 3)
    return Head.of(dict(zip(FEATURES, slopes.tolist(), strict=True)), bias, 1.0 - doubt, untold=doubt)


def sight(acts: Sequence[Written]) -> dict[str, Any]:
    """By origin, of criteria that answers do and of those that they do not, what a head of other folds says."""
    found: dict[str, dict[str, Any]] = {origin: {} for origin in sorted({act.origin for act in acts})}
    pairs = list(zip(acts, _judged(acts), strict=True))
    for origin, counts in found.items():
        for kind, told in (("done", 1.0), ("not_done", 0.0)):
            said = [one for act, one in pairs if act.origin == origin and act.told == told]
            counts |= {f"{kind}_{name}": share(one is verdict for one in said).to_json() for name, verdict in _SAID}
    return found


def _judged(written: Sequence[Written]) -> list[bool | None]:
    """What is said of each by a head that was fitted without its fold."""
    heads = {fold: fit_acts([each for each in written if each.fold != fold]) for fold in {w.fold for w in written}}
    return [decide(each.evidence, heads[each.fold]).present for each in written]
