"""A question in; the hints in its words out: urgent, clinician's, asking for evidence, ... and its shape in numbers."""

import math
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

import numpy as np
import yaml
from numpy.typing import NDArray
from yaml import CSafeLoader

from principles_store.paths import PACKAGE

# How much the hints weigh beside the unit vector of the meaning; chosen on the tuning families.
CUE_WEIGHT: Final = 0.5
# A hint found twice is no surer the third time.
_OFTEN: Final = 2
# What is said beyond this is rarely the question, and a reading must stay under a millisecond.
_CHARACTERS: Final = 2000
_KEY: Final = 3
_TOKEN: Final = re.compile(r"[^\W_]+")
_NUMBER: Final = re.compile(r"\d+(?:[.,/]\d+)?")
_ABBREVIATION: Final = re.compile(r"\b[A-Z]{2,5}\b")
_SHORT, _LONG = 8, 35
_SHAPES: Final = 7


def _tokens(text: str) -> list[str]:
    """Words written small, apostrophes left out, every digit a zero."""
    plain = text.lower().replace("'", "").replace("\u2019", "")
    return _TOKEN.findall(re.sub(r"\d", "0", plain))


def _phrases() -> tuple[list[str], dict[str, list[tuple[str, int]]]]:
    """The cues' names; and, by its first three letters, every phrase with its cue's place, a stem ending in a star."""
    listed = yaml.load((PACKAGE / "cues.yaml").read_text(encoding="utf-8"), Loader=CSafeLoader)
    phrases: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for place, text in enumerate(listed.values()):
        for phrase in (" ".join(part.split()) for part in str(text).split(",")):
            phrases[phrase.rstrip("*")[:_KEY]].append((phrase, place))
    return list(listed), dict(phrases)


_NAMES, _PHRASES = _phrases()
CUE_WIDTH: Final = len(_NAMES) + _SHAPES


def cues(text: str) -> NDArray[np.float32]:
    """The hints of one text, [CUE_WIDTH]: how often each cue occurs (twice at most), then its shape, about 0 to 1."""
    read = text[:_CHARACTERS]
    counts = [0] * len(_NAMES)
    tokens = _tokens(read)
    for place in _found(tokens):
        counts[place] += 1
    hints = [min(count, _OFTEN) / math.sqrt(_OFTEN) for count in counts]
    return np.array([*hints, *_shape(read, len(tokens))], dtype=np.float32) * np.float32(CUE_WEIGHT)


def _found(tokens: list[str]) -> Iterator[int]:
    """The place of a cue for every phrase met. Phrases are looked up by their first letters: most words have none."""
    line = " ".join(tokens) + " "
    start = 0
    for token in tokens:
        for key in {token[:_KEY], line[start : start + _KEY]}:
            for phrase, place in _PHRASES.get(key, ()):
                wanted = phrase[:-1] if phrase.endswith("*") else f"{phrase} "
                if line.startswith(wanted, start):
                    yield place
        start += len(token) + 1


def _shape(text: str, count: int) -> list[float]:
    """Length, a question mark, very short, long, numbers, a small first letter, an abbreviation."""
    return [
        min(math.log1p(count) / 4, 1.2),
        float("?" in text),
        float(count < _SHORT),
        float(count > _LONG),
        min(len(_NUMBER.findall(text)), 4) / 3,
        float(text[:1].islower()),
        float(bool(_ABBREVIATION.search(text))),
    ]
