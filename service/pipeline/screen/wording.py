"""Wording: a text comes in, how its words and pairs of words weigh beside its meaning goes out.

An encoder reads what a text is about; whether it tells of somebody in danger now or asks in general often shows in
small words (`since`, `could it be`, `what is`), which an encoder hardly sees.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from service.pipeline.screen.text import words_in

FEWEST: Final = 3  # examples that a term must stand in: a rarer one is a name or chance

Matrix = NDArray[np.float32]


@dataclass(frozen=True, eq=False, slots=True)
class Vocabulary:
    """Terms, their places, and how rare each is among the examples."""

    places: Mapping[str, int]
    rarity: Matrix

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Vocabulary":
        """The terms that stand in FEWEST of the texts or more."""
        counts = Counter(term for text in texts for term in set(_terms(text)))
        kept = sorted(term for term, count in counts.items() if count >= FEWEST)
        rarity = [math.log(len(texts) / counts[term]) for term in kept]
        return cls({term: place for place, term in enumerate(kept)}, np.array(rarity, dtype=np.float32))

    def rows(self, texts: Sequence[str]) -> Matrix:
        """Unit vectors [texts, terms]; zeros for a text of no known term."""
        rows = np.zeros((len(texts), len(self.places)), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for place, value in self.weighed(text):
                row[place] = value
        return rows

    def weighed(self, text: str) -> list[tuple[int, float]]:
        """The places of a text's terms and what each weighs, together of length one."""
        counts = Counter(place for term in _terms(text) if (place := self.places.get(term)) is not None)
        found = [(place, (1 + math.log(count)) * float(self.rarity[place])) for place, count in counts.items()]
        length = math.sqrt(sum(value * value for _, value in found)) or 1.0
        return [(place, value / length) for place, value in found]


@dataclass(frozen=True, eq=False, slots=True)
class Wording:
    """A weight for each term of a vocabulary."""

    vocabulary: Vocabulary
    weights: Matrix

    def scores(self, texts: Sequence[str]) -> Matrix:
        """What the words add to the score of each text, [texts]."""
        weights, weighed = self.weights, self.vocabulary.weighed
        scored = [sum(value * float(weights[place]) for place, value in weighed(text)) for text in texts]
        return np.array(scored, dtype=np.float32)


def _terms(text: str) -> Iterator[str]:
    """Words and pairs of neighbours, every number as 0."""
    words = ["0" if word[0].isdecimal() else word for word in words_in(text).texts]
    yield from words
    yield from (f"{first} {second}" for first, second in pairwise(words))
