"""Windows: a user's turns, whole and sentence by sentence, with where each stands."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from service.domain.assessment import Span
from service.domain.conversation import Conversation, Role

LIMIT: Final = 40  # windows of a conversation; what lies beyond is read by the rules alone
_FEWEST: Final = 3  # words: shorter sentences say little alone
_LONGEST: Final = 1_000  # characters of a sentence that are read
_END: Final = re.compile(r"(?<=[.!?;])\s+|\s*\n+\s*")


@dataclass(frozen=True, slots=True)
class Window:
    """A text to read, and where it stands."""

    text: str
    span: Span


def windows_of(conversation: Conversation) -> tuple[Window, ...]:
    """The user's turns, the latest first: each whole, as it was sent, and then its sentences if there are several."""
    found: list[Window] = []
    for index in reversed(range(len(conversation.messages))):
        message = conversation.messages[index]
        if message.role is Role.USER and message.content.strip():
            found.append(Window(message.content, Span(index, 0, len(message.content))))
            sentences = list(_sentences(message.content))
            if len(sentences) > 1:
                found += [Window(message.content[a:b][:_LONGEST], Span(index, a, b)) for a, b in sentences]
        if len(found) >= LIMIT:
            break
    return tuple(found[:LIMIT])


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    """Where the sentences begin and end, those of few words left out."""
    start = 0
    for end in (*(match.span() for match in _END.finditer(text)), (len(text), len(text))):
        if len(text[start : end[0]].split()) >= _FEWEST:
            yield start, end[0]
        start = end[1]
