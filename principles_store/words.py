"""A query's own words against the principles' (BM25): drug names, numbers and abbreviations that vectors blur."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

# Robertson's usual constants: how fast a repeated word stops counting, and how much a long text is discounted.
SATURATION: Final = 1.2
LENGTH: Final = 0.75
_WORD: Final = re.compile(r"[^\W_]{2,}")
# Ending, what is put in its place, and the shortest word that it is taken from; in this order.
_ENDINGS: Final = (("ies", "y", 5), ("s", "", 4), ("ing", "", 6), ("ed", "", 5))


class WordIndex:
    """Postings with their BM25 weights, worked out once. Read-only, so threads may share it."""

    def __init__(self, postings: dict[str, tuple[NDArray[np.int64], NDArray[np.float32]]], count: int) -> None:
        self._postings = postings
        self._count = count

    @classmethod
    def build(cls, texts: Sequence[str]) -> Self:
        """Index the texts by their positions."""
        counted = [Counter(words(text)) for text in texts]
        lengths = np.array([sum(counts.values()) for counts in counted], dtype=np.float64)
        discount = SATURATION * (1 - LENGTH + LENGTH * lengths / max(lengths.mean(), 1.0)) if texts else lengths
        found: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
        for position, counts in enumerate(counted):
            for word, times in counts.items():
                found[word].append((position, times * (SATURATION + 1) / (times + discount[position])))
        return cls({word: _posting(entries, len(texts)) for word, entries in found.items()}, len(texts))

    def scores(self, query: str) -> NDArray[np.float32]:
        """One BM25 score a text, 0 where no word is shared; a word counts once however often the query repeats it."""
        total = np.zeros(self._count, dtype=np.float32)
        for word in set(words(query)):
            if word in self._postings:
                positions, weights = self._postings[word]
                total[positions] += weights
        return total


def words(text: str) -> Iterable[str]:
    """Lower-case runs of two or more letters or digits, the commonest English endings taken off."""
    return [_stem(word) for word in _WORD.findall(text.lower())]


def _stem(word: str) -> str:
    """`tablets` and `tablet` are one word, `worrying` and `worry` too; rough on purpose, for both sides alike."""
    for ending, put, shortest in _ENDINGS:
        if word.endswith(ending) and len(word) >= shortest and not word.endswith(("ss", "eed")):
            word = word[: len(word) - len(ending)] + put
    return word


def _posting(entries: list[tuple[int, float]], count: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    rarity = np.log(1 + (count - len(entries) + 0.5) / (len(entries) + 0.5))
    positions, weights = zip(*entries, strict=True)
    return np.array(positions, dtype=np.int64), np.array(weights, dtype=np.float32) * np.float32(rarity)
