"""Evidence of a claim in, a calibrated probability out; weights and threshold were fitted on physicians' labels."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from service.entailment.lexical import Words

# How near a claim's tokens come to the answer's: on average, mostly the worst, and the worst, as words and in their
# context after two, four and six layers; `stretch` to the part of the answer that suits the claim best, `phrase` its
# mean to that of a few tokens; `new` weighs those tokens most that are far from the question's. `about` is how near
# claim and question are as a whole. In the order in which the network gives them.
_LAYERS: Final = (0, 2, 4, 6)
_POOLED: Final = tuple(f"{kind}_{layer}" for kind in ("mean", "worst") for layer in _LAYERS)
_NEAR: Final = (*_POOLED, *(f"{kind}_{layer}" for kind in ("least", "stretch", "phrase") for layer in _LAYERS))
NEARNESS: Final = (*_NEAR, *(f"new_{name}" for name in _POOLED), "about")
FEATURES: Final = ("logit", *_NEAR, "whole", "nearest", "numbers", "opposed")
# What the question changes: how much nearer the answer comes to what is new in the claim than to all of it; `about`.
ASKED: Final = (*(f"new_{name}" for name in _POOLED), "about")
Finite = Annotated[float, Field(allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Evidence:
    """The network's logit and nearness (the highest of all windows), and what the words say."""

    logit: float
    nearness: tuple[float, ...]
    words: Words

    @property
    def features(self) -> tuple[float, ...]:
        """In the order of `FEATURES`; the question moves none of them."""
        words = self.words
        return self.logit, *self.nearness[: len(_NEAR)], words.whole, words.nearest, words.numbers, words.opposed

    @property
    def asked(self) -> tuple[float, ...]:
        """In the order of `ASKED`; all 0 where no question is known."""
        *new, about = self.nearness[len(_NEAR) :]
        if about == 0.0:  # exactly so only where no question is known
            return (0.0,) * len(ASKED)
        return *(fresh - plain for fresh, plain in zip(new, self.nearness[: len(_POOLED)], strict=True)), about


class Head(BaseModel):
    """A logistic model over those `FEATURES` that it names; from the probability `threshold` on a claim is told.

    Below `untold` it is not told, and in between nobody knows; without it the threshold alone parts them.
    What it weighs of `ASKED` can only lower the log-odds, by what it falls short of `slack` and by `doubt` at most: no
    question makes a claim told that is not told without one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    weights: dict[str, Finite]
    asked: dict[str, Finite] = {}
    slack: Finite = 0.0
    doubt: Finite = Field(default=0.0, ge=0.0)
    bias: Finite
    threshold: float = Field(gt=0.0, lt=1.0)
    untold: float | None = Field(default=None, gt=0.0, lt=1.0)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.untold is not None and self.untold > self.threshold:
            raise ValueError(f"untold: {self.untold} lies above the threshold {self.threshold}: no claim could be both")
        return self

    def told(self, probability: float) -> bool | None:
        """Whether a claim of this probability is told; None in the band of doubt."""
        if probability >= self.threshold:
            return True
        return False if self.untold is None or probability < self.untold else None

    def probability(self, evidence: Evidence) -> float | None:
        """In [0, 1]; None where the evidence is no number."""
        value = self.bias + _weighed(self.weights, FEATURES, evidence.features)
        if any(asked := evidence.asked):
            value -= min(self.doubt, max(0.0, self.slack - _weighed(self.asked, ASKED, asked)))
        if not math.isfinite(value):
            return None
        return 1.0 / (1.0 + math.exp(-value)) if value >= 0 else math.exp(value) / (1.0 + math.exp(value))

    @classmethod
    def of(
        cls,
        weights: Mapping[str, float],
        bias: float,
        threshold: float,
        *,
        asked: Mapping[str, float] | None = None,
        slack: float = 0.0,
        doubt: float = 0.0,
        untold: float | None = None,
    ) -> Self:
        """Rounded, so that the file is the same wherever it is fitted."""
        return cls(
            weights=_rounded(weights),
            asked=_rounded(asked or {}),
            slack=round(float(slack), 4),
            doubt=round(float(doubt), 4),
            bias=round(float(bias), 4),
            threshold=round(float(threshold), 3),
            untold=untold,
        )


def _weighed(weights: Mapping[str, float], names: Sequence[str], values: Sequence[float]) -> float:
    return sum(weights.get(name, 0.0) * value for name, value in zip(names, values, strict=True))


def _rounded(weights: Mapping[str, float]) -> dict[str, float]:
    return {name: round(float(weight), 4) for name, weight in weights.items() if weight}
