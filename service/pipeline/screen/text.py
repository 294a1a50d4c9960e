"""A conversation's user turns, folded and cut into words that remember where they stood."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from service.domain.conversation import Conversation, Role

# Scripts written without spaces: each character is a word of its own.
_UNSPACED = "\u2e80-\u303f\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
# Vowel signs of the Indic scripts are marks, not letters, but belong to the word; the danda (U+0964) does not.
_INDIC = "\u0900-\u0963\u0971-\u0dff"
_LETTER = rf"(?:[^\W\d_{_UNSPACED}]|[{_INDIC}])"
_TOKEN = re.compile(
    rf"""
      (?P<number>\d+(?:[.,]\d+)?)
    | (?P<word>{_LETTER}(?:{_LETTER}|\d)*(?:'(?:s|t|m|d|re|ve|ll)(?![^\W_]))?)
    | (?P<stop>[.!?;\u3002\u06d4\u0964]|\n[ \t\r]*\n)
    | (?P<comma>[,:()\u060c\u3001\n]|\s-\s|\u2013|\u2014)
    | (?P<character>[{_UNSPACED}])
    """,
    re.VERBOSE,
)
_APOSTROPHES = frozenset("'\u2019\u2018\u02bc\u0060\u00b4\u201b")
_MARKS = re.compile("[\u0300-\u036f\u064b-\u065f\u0670\u0640]")
# Letters that writers exchange freely: Arabic ones, and Latin ones whose stroke or dot is no mark that comes off.
_EXCHANGED = str.maketrans(
    {
        "\u0629": "\u0647",
        "\u0649": "\u064a",
        "\u061f": "?",
        "\u06cc": "\u064a",
        "\u06a9": "\u0643",
        "\u0131": "i",
        "\u0142": "l",
        "\u0111": "d",
    }
)


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one or several texts, column by column.

    `texts` are folded; `starts` and `ends` are character offsets in the original of message `messages[i]`;
    sentences and clauses are numbered through and never shared by two messages.
    """

    texts: list[str] = field(default_factory=list)
    messages: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    sentences: list[int] = field(default_factory=list)
    clauses: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.texts)

    def by_message(self) -> dict[int, list[str]]:
        """The folded words of each message that has any."""
        texts: dict[int, list[str]] = {}
        for message, text in zip(self.messages, self.texts, strict=True):
            texts.setdefault(message, []).append(text)
        return texts


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Questions of an assistant, in the words of the user who says yes to them, and where that yes stands."""

    questions: tuple[Words, ...]
    start: int
    end: int


_NOTHING: Mapping[int, Confirmed] = {}


def words_of(conversation: Conversation, confirmed: Mapping[int, Confirmed] = _NOTHING) -> Words:
    """The words of the user's turns; what assistants, tools and apps wrote is no evidence.

    The exception is what a user `confirmed`, by the place of the turn that says yes: it stands before that turn's own
    words, where the yes stands.
    """
    words = Words()
    for index, message in enumerate(conversation.messages):
        if message.role is Role.USER:
            if index in confirmed:
                _say(confirmed[index], message=index, into=words)
            _read(message.content, message=index, into=words)
    return words


def _say(confirmed: Confirmed, *, message: int, into: Words) -> None:
    for question in confirmed.questions:
        sentence, clause = _next(into)
        into.texts.extend(question.texts)
        into.messages.extend([message] * len(question))
        into.starts.extend([confirmed.start] * len(question))
        into.ends.extend([confirmed.end] * len(question))
        into.sentences.extend(sentence + own for own in question.sentences)
        into.clauses.extend(clause + own for own in question.clauses)


def _next(words: Words) -> tuple[int, int]:
    """The numbers of the next sentence and clause."""
    return (words.sentences[-1] + 1, words.clauses[-1] + 1) if words.sentences else (0, 0)


def words_in(text: str) -> Words:
    """The words of one text, as message 0."""
    words = Words()
    _read(text, message=0, into=words)
    return words


def _read(text: str, *, message: int, into: Words) -> None:
    folded, origin = fold(text)
    sentence, clause = _next(into)
    for found in _TOKEN.finditer(folded):
        kind = found.lastgroup
        if kind in {"stop", "comma"}:
            clause += 1
            sentence += kind == "stop"
            continue
        start, end = found.span()
        into.texts.append(found[0].replace("'", ""))
        into.messages.append(message)
        into.starts.append(origin[start])
        into.ends.append(origin[end - 1] + 1)
        into.sentences.append(sentence)
        into.clauses.append(clause)


def fold(text: str) -> tuple[str, range | list[int]]:
    """The text in plain form, and for each of its characters the offset of the original it came from.

    Lower case, compatibility forms replaced, apostrophes straight, Latin accents and Arabic vowel marks dropped,
    invisible characters gone.
    """
    if text.isascii():
        return text.lower(), range(len(text))
    pieces: list[str] = []
    origin: list[int] = []
    for offset, character in enumerate(text):
        piece = _plain(character)
        pieces.append(piece)
        origin += [offset] * len(piece)
    return "".join(pieces), origin


@lru_cache(maxsize=4096)
def _plain(character: str) -> str:
    if character in _APOSTROPHES:
        return "'"
    if unicodedata.category(character) == "Cf":
        return ""
    if character.isspace():
        return "\n" if character in "\n\u2028\u2029" else " "
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())
    return _MARKS.sub("", plain).translate(_EXCHANGED)
