"""Features and shares of yes in, a ridge logistic model out."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

_STEPS: Final = 60


def logistic(
    features: NDArray[np.float64], target: NDArray[np.float64], *, pull: float
) -> tuple[NDArray[np.float64], float]:
    """Weights and bias, by Newton's method on features of one spread; `pull` draws weights to zero."""
    spread, middle = features.std(axis=0) + 1e-6, features.mean(axis=0)
    design = np.hstack([(features - middle) / spread, np.ones((len(features), 1))])
    ridge = np.diag(np.append(np.full(features.shape[1], pull), 1e-6))
    weights = np.zeros(design.shape[1])
    for _ in range(_STEPS):
        likely = chances(design @ weights)
        slope = design.T @ (likely - target) + ridge @ weights
        curve = design.T @ (design * (likely * (1 - likely) + 1e-9)[:, None]) + ridge
        weights = weights - np.linalg.solve(curve, slope)
    slopes = weights[:-1] / spread
    return slopes, float(weights[-1] - slopes @ middle)


def chances(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities in [0, 1]."""
    found: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(odds, -500, 500)))
    return found
