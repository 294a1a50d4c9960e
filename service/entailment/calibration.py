"""Evidence of a claim in, a calibrated probability out; weights and threshold were fitted on physicians' labels."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field

from service.entailment.lexical import Words

# How near a claim's tokens come to the answer's: on average, mostly the worst, and the worst, as words and in their
# context after two, four and six layers; `new` weighs those tokens most that are far from the question's.
# `about` is how near claim and question are as a whole. In the order in which the network gives them.
_KINDS: Final = ("mean", "worst", "least", "new_mean", "new_worst")
NEARNESS: Final = (*(f"{kind}_{layer}" for kind in _KINDS for layer in (0, 2, 4, 6)), "about")
FEATURES: Final = ("logit", *NEARNESS, "whole", "nearest", "numbers", "opposed")
Finite = Annotated[float, Field(allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Evidence:
    """The network's logit and nearness (the highest of all windows), and what the words say."""

    logit: float
    nearness: tuple[float, ...]
    words: Words

    @property
    def features(self) -> tuple[float, ...]:
        """In the order of `FEATURES`."""
        words = self.words
        return self.logit, *self.nearness, words.whole, words.nearest, words.numbers, words.opposed


class Head(BaseModel):
    """A logistic model over those `FEATURES` that it names; from the probability `threshold` on a claim is told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weights: dict[str, Finite]
    bias: Finite
    threshold: float = Field(gt=0.0, lt=1.0)

    def probability(self, evidence: Evidence) -> float | None:
        """In [0, 1]; None where the evidence is no number."""
        value = self.bias + sum(
            self.weights.get(name, 0.0) * feature for name, feature in zip(FEATURES, evidence.features, strict=True)
        )
        if not math.isfinite(value):
            return None
        return 1.0 / (1.0 + math.exp(-value)) if value >= 0 else math.exp(value) / (1.0 + math.exp(value))

    @classmethod
    def of(cls, weights: Mapping[str, float], bias: float, threshold: float) -> Self:
        """Rounded, so that the file is the same wherever it is fitted."""
        rounded = {name: round(float(weight), 4) for name, weight in weights.items() if weight}
        return cls(weights=rounded, bias=round(float(bias), 4), threshold=round(float(threshold), 3))
