"""Stretches: runs of words come in, in order and apart they go out; and whether one touches them."""

from bisect import bisect_right
from collections.abc import Sequence

from service.pipeline.screen.phrases import Hit


def apart(hits: Sequence[Hit]) -> list[Hit]:
    """The stretches that the hits cover, merged, in order."""
    merged: list[Hit] = []
    for first, last in sorted(hits):
        if merged and first <= merged[-1][1] - 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def inside(hit: Hit, stretches: Sequence[Hit]) -> bool:
    """Whether the hit overlaps one of the stretches, which are in order and apart."""
    place = bisect_right(stretches, (hit[1] - 1, 1 << 60))
    return place > 0 and stretches[place - 1][1] > hit[0]
