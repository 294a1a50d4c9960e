"""Preferences of a JSONL file: a conversation, the preferred answer and the other, who preferred it, and why."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.domain.conversation import Message, Role
from training.healthbench.records import BadRow, lines


@dataclass(frozen=True, slots=True)
class Example:
    """One preference; `id` is the row's own, or a digest of its texts."""

    id: str
    conversation: tuple[Message, ...]
    preferred: str
    other: str
    author: str
    why: str

    @property
    def question(self) -> str:
        """The latest words of the user."""
        return next(turn.content for turn in reversed(self.conversation) if turn.role is Role.USER)

    @property
    def digest(self) -> str:
        """Of all that a draft is made from: an id of a row's own does not say that its texts are still the same."""
        turns = [(turn.role.value, turn.content) for turn in self.conversation]
        said = json.dumps([turns, self.preferred, self.other, self.why])
        return hashlib.sha256(said.encode()).hexdigest()


def read(path: Path) -> Iterator[Example]:
    """Rows of `conversation` (messages, or a question as text), `preferred`, `other`, and perhaps `author` and `why`.

    Raises:
        BadRow: a row lacks a field, or an id comes twice.

    """
    seen: set[str] = set()
    for where, row in lines(path):
        try:
            example = _example(row)
        except (KeyError, TypeError, ValueError, StopIteration) as error:
            said = f"field {error} is missing" if isinstance(error, KeyError) else "a field has the wrong kind"
            raise BadRow(f"{where}: {said}") from error
        if example.id in seen:
            raise BadRow(f"{where}: id {example.id} came before")
        seen.add(example.id)
        yield example


def _example(row: dict[str, Any]) -> Example:
    said = row["conversation"]
    turns = [{"role": "user", "content": said}] if isinstance(said, str) else said
    conversation = tuple(Message(Role(turn["role"]), str(turn["content"])) for turn in turns)
    preferred, other = _text(row, "preferred"), _text(row, "other")
    digest = hashlib.sha256("\0".join((*(t.content for t in conversation), preferred, other)).encode()).hexdigest()
    name = str(row.get("id") or digest[:24])
    made = Example(name, conversation, preferred, other, str(row.get("author") or ""), str(row.get("why") or ""))
    if not made.question:
        raise ValueError("no user spoke")
    return made


def _text(row: dict[str, Any], name: str) -> str:
    if not isinstance(row[name], str) or not row[name].strip():
        raise ValueError(name)
    return str(row[name])
