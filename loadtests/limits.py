"""Measured figures in; which of them lie beyond what the project promises, out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Limit:
    """The most that a figure of a part of what was measured may be; ratios are medians over the rounds."""

    part: str
    figure: str
    at_most: float
    told: str

    def holds(self, figures: Mapping[str, Any]) -> bool:
        """Whether it does. What is no number does not."""
        return bool(figures[self.part][self.figure] <= self.at_most)


PASSING: Final = Limit("latency", "passing_ratio", 1.15, "guarded over plain, the draft passes")
REVISED: Final = Limit("latency", "revised_ratio", 1.6, "guarded over plain, mended by edits")
READY: Final = Limit("embedded", "ready_s", 5.0, "seconds from process start to serving")
RESIDENT: Final = Limit("embedded", "resident_mb", 600.0, "MB resident with everything embedded")
LIMITS: Final = (PASSING, REVISED, READY, RESIDENT)


def beyond(figures: Mapping[str, Any]) -> Sequence[str]:
    """A line for each limit that does not hold, and one where an answer was not released: a withheld one is cheap."""
    lines = [
        f"{limit.told}: {figures[limit.part][limit.figure]:.3g}, at most {limit.at_most:g}"
        for limit in LIMITS
        if not limit.holds(figures)
    ]
    others = [outcome for outcome in figures["latency"]["outcomes"] if outcome != "released"]
    return [*lines, *([f"answers that were not released: {', '.join(others)}"] if others else [])]
