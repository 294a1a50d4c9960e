"""Answers: a user's yes to an assistant's question comes in; the question, as if the user had said it, goes out.

`answers/<language>.yaml` says what a yes opens with (`yes`), or is as a clause of its own (`echo`: `I do`, but not `I
do not`), what undoes it (`undone`), which questions ask nothing about the person (`general`), and how the question's
words become the person's (`turned`: `yourself` is `myself`).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final

from service.domain.conversation import Conversation, Message, Role
from service.domain.errors import SettingsError
from service.pipeline.screen.language import KIN, LATIN, OTHER, language_of
from service.pipeline.screen.sources import files, only, read_mapping, texts
from service.pipeline.screen.text import Confirmed, Words, words_in

_ENGLISH: Final = "en"  # people say yes in it whatever they were asked in
_LISTS: Final = ("yes", "echo", "undone", "general")
_OPENING: Final = 120  # characters of a turn that may say yes
_LONGEST: Final = 2_000  # characters from an assistant's end that are looked at
_BEFORE_GENERAL: Final = 2  # words that may stand before what makes a question general: `so`, `by the way`
_STOPS: Final = ".!?;\u2026\u3002\u061f\uff1f\uff01\u06d4\u0964\n"  # a question begins after the last of them
_ASKED: Final = re.compile("[?\u061f\uff1f]+|\u304b(?=[\u3002\n]|$)")
_DRAWN_OUT: Final = re.compile(r"(\w)\1{2,}")  # `yesss`
_BETWEEN: Final = re.compile(r"[^\w]*(?:\d{1,2}[.)][^\w]*)?")  # from one question of a list to the next

Phrase = tuple[str, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Answering:
    """How one language affirms."""

    yes: frozenset[Phrase]
    echo: frozenset[Phrase]
    undone: frozenset[Phrase]
    general: frozenset[Phrase]
    turned: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answers:
    """How the languages affirm, by language."""

    languages: Mapping[str, Answering]

    def confirmed(self, conversation: Conversation) -> dict[int, Confirmed]:
        """By the place of a user's turn, the questions just before it that it affirms; of several, all."""
        found: dict[int, Confirmed] = {}
        before: Message | None = None
        for place, message in enumerate(conversation.messages):
            asked = before.content if before and before.role is Role.ASSISTANT else ""
            if message.role is Role.USER and asked and (confirmed := self._affirmed(asked, message.content)):
                found[place] = confirmed
            if message.role in {Role.USER, Role.ASSISTANT}:
                before = message
        return found

    def _affirmed(self, asked: str, answer: str) -> Confirmed | None:
        questions = [words_in(text) for text in _last_questions(asked[-_LONGEST:])]
        if not questions:
            return None
        opening = words_in(answer[:_OPENING])
        spoken = self._spoken(asked[-_LONGEST:])
        ends = {one: end for one in spoken if (end := _yes(one, opening))}
        own = [words for words in questions if not any(_is_general(one, words) for one in ends)]
        if not own or not ends:
            return None
        said = {tuple(turned.texts): turned for words in own for one in ends if (turned := _turn(words, one))}
        return Confirmed(tuple(said.values()), opening.starts[0], max(ends.values()))

    def _spoken(self, asked: str) -> list[Answering]:
        """The languages that the answer may be in: a short question may be in any that has its letters."""
        language = language_of(asked)
        kin = (LATIN | {OTHER}, *KIN)
        near = next((names for names in kin if language in names), {language}) | {_ENGLISH}
        return [answering for name, answering in self.languages.items() if name in near]


def _yes(spoken: Answering, opening: Words) -> int:
    """Where the yes that a turn opens with ends, in characters; 0 where it opens with none."""
    for count in range(min(len(opening), _longest(spoken.yes | spoken.echo)), 0, -1):
        said = tuple(_DRAWN_OUT.sub(r"\1", text) for text in opening.texts[:count])
        alone = count == len(opening) or opening.clauses[count] != opening.clauses[count - 1]
        if said in spoken.yes and (alone or not _begins(opening.texts[count:], spoken.undone)):
            return opening.ends[count - 1]
        if said in spoken.echo and alone:
            return opening.ends[count - 1]
    return 0


def _longest(phrases: Iterable[Phrase]) -> int:
    return max(map(len, phrases), default=0)


def _begins(said: list[str], phrases: Iterable[Phrase]) -> bool:
    return any(tuple(said[: len(phrase)]) == phrase for phrase in phrases)


def _is_general(spoken: Answering, question: Words) -> bool:
    return any(_begins(question.texts[skipped:], spoken.general) for skipped in range(_BEFORE_GENERAL + 1))


def _turn(question: Words, spoken: Answering) -> Words:
    """The question's words as the person would say them."""
    return replace(question, texts=[spoken.turned.get(text, text) for text in question.texts])


def _last_questions(text: str) -> list[str]:
    """The last question of a turn, and those just before it that nothing parts from it."""
    last: list[tuple[int, int]] = []
    for asked in reversed(list(_ASKED.finditer(text))):
        if last and not _BETWEEN.fullmatch(text[asked.end() : last[-1][0]]):
            break
        last.append((1 + max(text.rfind(stop, 0, asked.start()) for stop in _STOPS), asked.end()))
    return [text[start:end] for start, end in reversed(last)]


def read_answers(folder: Traversable | Path) -> Answers:
    """The answers of the package.

    Raises:
        SettingsError: a file does not fit, or English is missing.

    """
    found = {
        file.name.removesuffix(".yaml"): _answering(read_mapping(file), where=f"answers/{file.name}")
        for file in files(folder, "answers")
    }
    if _ENGLISH not in found:
        raise SettingsError("answers/en.yaml is missing")
    return Answers(found)


def _answering(content: Mapping[str, Any], *, where: str) -> Answering:
    only(content, {*_LISTS, "turned"}, where=where)
    lists = {name: _phrases(content[name], where=f"{where}: {name}") for name in _LISTS if name in content}
    turned = content.get("turned", {})
    if not isinstance(turned, dict) or not all(isinstance(word, str) for word in turned.values()):
        raise SettingsError(f"{where}: `turned` says for a word which one the person would use")
    folded = {" ".join(words_in(a).texts): " ".join(words_in(b).texts) for a, b in turned.items()}
    none: frozenset[Phrase] = frozenset()
    return Answering(**{name: lists.get(name, none) for name in _LISTS}, turned=folded)


def _phrases(value: object, *, where: str) -> frozenset[Phrase]:
    return frozenset(tuple(words_in(text).texts) for text in texts(value, where=where))
