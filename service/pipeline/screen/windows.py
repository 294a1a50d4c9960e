"""Windows: a user's turns, whole and sentence by sentence, with where each stands; and passages of one text."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from service.domain.assessment import Span
from service.domain.conversation import Conversation, Role

LIMIT: Final = 40  # windows of a conversation; what lies beyond is read by the rules alone
_FEWEST: Final = 3  # words: shorter sentences say little alone
_CHARACTERS: Final = 1_000  # of a sentence that are read
_LONGEST: Final = 60  # words of a sentence that are read at once: an encoder sees only so far, and padding blurs it
_LONG: Final = 20  # words of a sentence that may hold a question and much else besides
_RUN: Final = 12  # words of a passage of such a sentence
_STEP: Final = 4  # words from one such passage to the next: a short question fills most of one of them
_END: Final = re.compile(r"(?<=[.!?;])\s+|\s*\n+\s*")
_WORD: Final = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Window:
    """A text to read, and where it stands."""

    text: str
    span: Span


def windows_of(conversation: Conversation) -> tuple[Window, ...]:
    """The user's turns, the latest first: each whole, as it was sent, and then its sentences if there are several.

    Of a turn of very many sentences the first and the last are read: there people say what they want.
    """
    found: list[Window] = []
    for index in reversed(range(len(conversation.messages))):
        message = conversation.messages[index]
        if message.role is Role.USER and message.content.strip():
            found.append(Window(message.content, Span(index, 0, len(message.content))))
            sentences = list(_sentences(message.content))
            if len(sentences) > 1:
                ends = (*sentences[: LIMIT // 2], *sentences[LIMIT // 2 :][-(LIMIT // 2 - 1) :])
                found += [Window(message.content[a:b][:_CHARACTERS], Span(index, a, b)) for a, b in ends]
        if len(found) >= LIMIT:
            break
    return tuple(found[:LIMIT])


def passages_of(text: str) -> tuple[str, ...] | None:
    """The parts in which a question may hide: the sentences, and of the long ones each run of words, overlapping.

    None where there are more than LIMIT: what is not read whole tells nothing of the whole.
    """
    found = [text[a:b] for a, b in _sentences(text)]
    runs = [run for passage in found for run in _runs(passage.split())]
    parts = (*(found if len(found) > 1 else ()), *runs)
    return parts if len(parts) <= LIMIT else None


def _runs(words: list[str]) -> Iterator[str]:
    if len(words) > _LONG:
        for first in range(0, len(words) - _RUN + _STEP, _STEP):
            yield " ".join(words[first : first + _RUN])


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    """Where the sentences begin and end, those of few words left out and the very long cut."""
    start = 0
    for end in (*(match.span() for match in _END.finditer(text)), (len(text), len(text))):
        words = [(start + word.start(), start + word.end()) for word in _WORD.finditer(text[start : end[0]])]
        for first in range(0, len(words), _LONGEST):
            part = words[first : first + _LONGEST]
            if len(part) >= _FEWEST:
                yield part[0][0], part[-1][1]
        start = end[1]
