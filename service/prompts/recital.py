"""Recital: whether a text gives away the instructions that stand above the conversation, ours or the app's.

Texts are compared as their letters and digits alone, so that case, marks, spaces and line breaks hide nothing; and
also as read backwards, in rot13, base64 and hex. A translation or a paraphrase is not seen.
"""

import base64
import binascii
import codecs
import re
from collections.abc import Iterator
from functools import cache

from service.prompts import base as shared
from service.prompts import edits, repair, rewrite, verdict, verdicts

# A run of this many letters and digits, about six words, is no accident.
_RUN = 32
# Any recited stretch of 39 letters or more holds a whole run that begins at one of these steps.
_STEP = 8
# An app may well want some of its words said: its instructions are given away by their opening, where it speaks to the
# model, or by this share of them; shorter ones than four runs only by their opening.
_SHARE = 0.6
_FEWEST = 4
_MOST = 400
_OPENING = 40
_TO_THE_MODEL = re.compile(r"\b(?:you|your|you're)\b", re.IGNORECASE)
_QUOTED = re.compile(r"\"[^\"]*\"|\u201c[^\u201d]*\u201d|\u00ab[^\u00bb]*\u00bb")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{40,}={0,2}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}[\s:]?){32,}")


def recites(text: str, *, instructions: str = "") -> bool:
    """Whether the text recites our own words to the model, or the app's `instructions`.

    What an app puts in quotation marks it may want said, so that is no secret.
    """
    ours, theirs = _own_runs(), _letters(_QUOTED.sub(" ", instructions))
    begins = _opening(instructions, theirs)
    blocks = _blocks(theirs)
    return any(
        any(run in seen for run in ours)
        or (bool(begins) and begins in seen)
        or (len(blocks) >= _FEWEST and sum(block in seen for block in blocks) >= _SHARE * len(blocks))
        for seen in _readings(text)
    )


@cache
def own_words() -> tuple[str, ...]:
    """Everything that we say to a model, but for the principles, which are public."""
    asking = (shared, verdict, verdicts, edits, rewrite, repair)
    return tuple(words for each in asking for words in each.OWN_WORDS)


@cache
def _own_runs() -> frozenset[str]:
    streams = [_letters(words) for words in own_words()]
    return frozenset(s[at : at + _RUN] for s in streams for at in range(0, len(s) - _RUN + 1, _STEP))


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text.casefold()))


def _opening(instructions: str, letters: str) -> str:
    """How instructions begin that speak to the model; empty where they do not, or are too short to tell."""
    first = letters[:_OPENING]
    return first if len(first) >= _RUN and _TO_THE_MODEL.search(instructions[: 2 * _OPENING]) else ""


def _blocks(letters: str) -> list[str]:
    blocks = [letters[at : at + _RUN] for at in range(0, len(letters) - _RUN + 1, _RUN)]
    return blocks[:: max(1, len(blocks) // _MOST)]


def _readings(text: str) -> Iterator[str]:
    """The text's letters as they stand, and as they would in a plain disguise."""
    plain = _letters(text)
    yield plain
    yield plain[::-1]
    yield codecs.encode(plain, "rot13")
    for found in _BASE64.finditer(text):
        yield _letters(_decoded(found[0]))
    for found in _HEX.finditer(text):
        yield _letters(bytes.fromhex(re.sub(r"[\s:]", "", found[0])).decode(errors="ignore"))


def _decoded(blob: str) -> str:
    whole = blob.rstrip("=")
    try:
        return base64.b64decode(whole + "=" * (-len(whole) % 4)).decode(errors="ignore")
    except binascii.Error:
        return ""
