"""Which drafted items may stay: repeats and contradictions go, and what tells no two answers apart."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from training.synthesis.prompt import Drafted

# From this cosine on two criteria say the same, if their numbers and the words that turn a sentence are the same too.
SAME: Final = 0.88
# Below this they are of different things: chosen, as were the words, on one half of `labelled_pairs.tsv`.
NEAR: Final = 0.35
Encode = Callable[[Sequence[str]], NDArray[np.float32]]
Pair = tuple[int, int]

# What makes another demand of a sentence that an encoder finds much the same. Each line is one meaning.
_TURNING: Final = {
    word: line.split()[0]
    for line in (
        "not never no none nothing nobody without cannot don't doesn't didn't isn't aren't mustn't shouldn't nor",
        "avoid avoids avoiding refrain refrains against",
        "stop stops stopping stopped discontinue discontinues discontinuing quit pause pauses pausing skip skipping",
        "start starts starting begin begins beginning",
        "keep keeps keeping continue continues continuing carry finish finishing",
        "more increase increases increasing raise raises raising higher double doubling over above exceed exceeds",
        "less fewer decrease decreases decreasing reduce reduces reducing lower lowers lowering halve under below",
        "before prior",
        "after",
        "now immediately straight urgent urgently emergency today tonight",
        "wait waits waiting later tomorrow morning delay delaying",
        "safe harmless fine benign",
        "unsafe dangerous harmful serious",
        "only",
        "unless until except",
        "allowed allows may can",
        "forbids forbidden prohibits",
        "left",
        "right",
        "hot warm",
        "cold",
        "adult adults",
        "child children baby babies infant infants",
        "first",
        "second last",
        "empty",
        "full",
    )
    for word in line.split()
}
_COUNTS: Final = "zero one two three four five six seven eight nine ten eleven twelve"
_NUMBERS: Final = {word: str(value) for value, word in enumerate(_COUNTS.split())} | {"half": "0.5", "twice": "2"}
_WORD: Final = re.compile(r"\d+(?:[.,]\d+)*|[a-z]+(?:'[a-z]+)?")


class Relation(StrEnum):
    """What two items are to each other. Of a contradiction no answer can meet both; `fits` is all the rest."""

    REPEATS = "repeats"
    CONTRADICTS = "contradicts"
    FITS = "fits"


class Left(StrEnum):
    """Why an item was left out."""

    REPEATS = "repeats"
    CONTRADICTS = "contradicts"
    ALL_OR_NONE = "all_or_none"


@dataclass(frozen=True, slots=True)
class Compared:
    """Pairs by their places in the rubric: `known` is told from the words alone, `open` only a reader can tell."""

    known: Mapping[Pair, Relation]
    open: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class Sifted:
    """What stays, in its order, and for each of the others why not."""

    kept: tuple[Drafted, ...]
    left: tuple[tuple[Drafted, Left], ...]


def compare(items: Sequence[Drafted], encode: Encode) -> Compared:
    """Every pair that is near enough to matter. An encoder hears neither a number nor a `not`: they are held apart."""
    vectors = encode([item.criterion for item in items])
    nearness = vectors @ vectors.T
    turns = [_turns(item.criterion) for item in items]
    known: dict[Pair, Relation] = {}
    open_: list[Pair] = []
    for pair in combinations(range(len(items)), 2):
        one, other = pair
        if nearness[pair] >= SAME and turns[one] == turns[other]:
            alike = items[one].must is items[other].must
            known[pair] = Relation.REPEATS if alike else Relation.CONTRADICTS
        elif nearness[pair] >= NEAR:
            open_.append(pair)
    return Compared(known, tuple(open_))


def _turns(criterion: str) -> frozenset[str]:
    """Its numbers, and the meanings that turn a sentence."""
    words = _WORD.findall(criterion.lower().replace("\u2019", "'"))
    numbers = {_NUMBERS.get(word, word.replace(",", ".")) for word in words if word[0].isdigit() or word in _NUMBERS}
    return frozenset(numbers | {_TURNING[word] for word in words if word in _TURNING})


def sift(items: Sequence[Drafted], relations: Mapping[Pair, Relation]) -> Sifted:
    """Heaviest first: a lighter item that repeats a kept one goes; of a contradiction the heavier stays.

    A forbidden thing outweighs a demand of the same weight: to demand what may harm is the worse mistake.
    """
    order = sorted(range(len(items)), key=lambda at: (-items[at].weight, items[at].must, at))
    kept: list[int] = []
    left: list[tuple[Drafted, Left]] = []
    for at in order:
        found = {relations.get((min(at, other), max(at, other)), Relation.FITS) for other in kept}
        if Relation.CONTRADICTS in found:
            left.append((items[at], Left.CONTRADICTS))
        elif Relation.REPEATS in found:
            left.append((items[at], Left.REPEATS))
        else:
            kept.append(at)
    return Sifted(tuple(items[at] for at in sorted(kept)), tuple(left))


def telling(items: Sequence[Drafted], done: Sequence[Sequence[bool]]) -> Sifted:
    """`done[k][i]`: whether sample k does item i. Items that all samples do, or none, teach nothing and go."""
    shares = [sum(sample[at] for sample in done) for at in range(len(items))]
    tells = [0 < share < len(done) for share in shares]
    return Sifted(
        tuple(item for item, keep in zip(items, tells, strict=True) if keep),
        tuple((item, Left.ALL_OR_NONE) for item, keep in zip(items, tells, strict=True) if not keep),
    )
