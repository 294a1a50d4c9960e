"""Which drafted items may stay: repeats and contradictions go, and what tells no two answers apart."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.synthesis.prompt import Drafted

# From this cosine on two criteria say the same. Opposite polarities this near contradict each other.
SAME: Final = 0.88
Encode = Callable[[Sequence[str]], NDArray[np.float32]]


class Left(StrEnum):
    """Why an item was left out."""

    REPEATS = "repeats"
    CONTRADICTS = "contradicts"
    ALL_OR_NONE = "all_or_none"


@dataclass(frozen=True, slots=True)
class Sifted:
    """What stays, in its order, and for each of the others why not."""

    kept: tuple[Drafted, ...]
    left: tuple[tuple[Drafted, Left], ...]


def sift(items: Sequence[Drafted], encode: Encode) -> Sifted:
    """Heaviest first: a lighter item that repeats a kept one goes; of a contradiction the heavier stays.

    A forbidden thing outweighs a demand of the same weight: to demand what may harm is the worse mistake.
    """
    vectors = encode([item.criterion for item in items])
    near = vectors @ vectors.T >= SAME
    order = sorted(range(len(items)), key=lambda at: (-items[at].weight, items[at].must, at))
    kept: list[int] = []
    left: list[tuple[Drafted, Left]] = []
    for at in order:
        like = [other for other in kept if near[at, other]]
        if not like:
            kept.append(at)
            continue
        opposed = any(items[other].must is not items[at].must for other in like)
        left.append((items[at], Left.CONTRADICTS if opposed else Left.REPEATS))
    return Sifted(tuple(items[at] for at in sorted(kept)), tuple(left))


def telling(items: Sequence[Drafted], done: Sequence[Sequence[bool]]) -> Sifted:
    """`done[k][i]`: whether sample k does item i. Items that all samples do, or none, teach nothing and go."""
    shares = [sum(sample[at] for sample in done) for at in range(len(items))]
    tells = [0 < share < len(done) for share in shares]
    return Sifted(
        tuple(item for item, keep in zip(items, tells, strict=True) if keep),
        tuple((item, Left.ALL_OR_NONE) for item, keep in zip(items, tells, strict=True) if not keep),
    )
