"""How long and how fast the small judge learns."""

from dataclasses import dataclass
from typing import Final

_RISE: Final = 10  # steps
_FALL: Final = 0.1  # of the learning rate is left at the end


@dataclass(frozen=True, slots=True)
class Schedule:
    """So many steps of so many padded tokens; the rate rises for the first few, and falls if it is to.

    `averaged` is how much of the running mean of weights each step keeps; 0 takes the last weights as they are.
    """

    steps: int
    tokens: int
    rate: float
    new_rate: float
    falls: bool
    averaged: float

    def share(self, step: int) -> float:
        """Of the learning rate at a step."""
        rise = min(1.0, (step + 1) / _RISE)
        return rise * (max(_FALL, 1.0 - step / self.steps) if self.falls else 1.0)
