"""What words alone say of whether an answer tells a claim: shares of stems, numbers and negations, without a model."""

import re
from dataclasses import dataclass
from typing import Final

from service.prompts.sentences import split

_WORD: Final = re.compile(r"[a-z]+|\d+(?:[.,]\d+)*")
_NEGATION: Final = re.compile(r"\b(?:no|not|never|cannot|without|neither|nor|none|unlikely|avoid)\b|n't\b")
_SMALL: Final = frozenset(
    """a an the of to for in on at and or if is are be was were been it its this that these those with as by from than
    then there their they them he she his her you your we our i my me can could may might should would will do does did
    has have had not no so such also which who whom what when where how but into about over any some more most
    very""".split()  # noqa: SIM905 - words read better than a list of them
)
# Longest first: what is cut leaves at least three letters.
_ENDINGS: Final = (
    "ations", "ation", "ingly", "ments", "ities", "iness", "ment", "ness", "ions", "ical", "ally", "ings",
    "edly", "ies", "ing", "ion", "ity", "ous", "ive", "ely", "ful", "ers", "est", "ed", "es", "ly", "er", "al", "ic",
    "y", "s", "e",
)  # fmt: skip
_LEAST: Final = 3


def stem(word: str) -> str:
    """The word without its ending, so that `treats`, `treated` and `treatment` meet. Numbers stay as they are."""
    if not word.isalpha():
        return word
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _LEAST:
            return word[: -len(ending)]
    return word


def stems(text: str) -> frozenset[str]:
    """The stems of the words that carry meaning."""
    return frozenset(stem(word) for word in _WORD.findall(text.lower()) if word not in _SMALL)


def overlap(claim: str, answer: str) -> float:
    """The share of the claim's stems that the answer has, in [0, 1]; 0 for a claim without any."""
    wanted = stems(claim)
    return len(wanted & stems(answer)) / len(wanted) if wanted else 0.0


@dataclass(frozen=True, slots=True)
class Words:
    """`whole` and `nearest` are the shares of the claim's stems in the answer and in the sentence that has most.

    `numbers` is the share of its numbers that the answer lacks; `opposed` whether one of claim and nearest sentence
    denies and the other does not.
    """

    whole: float
    nearest: float
    numbers: float
    opposed: float


class AnswerWords:
    """The words of one answer, taken apart once for all that is asked of it."""

    def __init__(self, answer: str) -> None:
        self._sentences = [(stems(sentence), denies(sentence)) for sentence in split(answer) or (answer,)]
        self._stems = frozenset[str]().union(*(found for found, _ in self._sentences))
        self._numbers = set(_WORD.findall(answer.lower()))

    def compare(self, claim: str) -> Words:
        """The claim's words beside the answer's."""
        wanted = stems(claim)
        nearest, denied = max(self._sentences, key=lambda sentence: len(wanted & sentence[0]))
        numbers = {word for word in _WORD.findall(claim.lower()) if word[0].isdigit()}
        most = max(len(wanted), 1)
        return Words(
            whole=len(wanted & self._stems) / most,
            nearest=len(wanted & nearest) / most,
            numbers=len(numbers - self._numbers) / len(numbers) if numbers else 0.0,
            opposed=float(denies(claim) is not denied),
        )


def denies(text: str) -> bool:
    """Whether a negation stands in it."""
    return _NEGATION.search(text.lower()) is not None
