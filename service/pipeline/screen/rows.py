"""Rows: a line of JSON comes in, one labelled conversation with its fold goes out."""

import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from service.domain.conversation import Conversation, Message, Role
from service.domain.errors import SettingsError

ROUTINE: Final = "routine"
EMERGENT: Final = "emergent"
_TEXT_FIELDS: Final = ("first_user_turn", "Question", "question", "text")
_SALT: Final = "red"  # chosen so that the rows which had been seen before there were folds fall into tuning


class Fold(StrEnum):
    """Rules are written and thresholds chosen while looking at `tuning`; `reporting` is only counted."""

    TUNING = "tuning"
    REPORTING = "reporting"


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled conversation."""

    conversation: Conversation
    label: str

    @property
    def fold(self) -> Fold:
        """By a hash of what the user said first, so that a row keeps its fold whatever file it comes in."""
        first = next(m.content for m in self.conversation.messages if m.role is Role.USER)
        digest = hashlib.sha256((_SALT + first).encode()).digest()
        return Fold.REPORTING if digest[0] % 2 else Fold.TUNING


def each_row(path: Path) -> Iterator[Row]:
    """The rows of a JSONL file (`.gz` is unpacked), each text once.

    A row has its text under `first_user_turn`, `Question`, `question` or `text`, or messages under `prompt`; and
    its label, where it has one, under `label`.

    Raises:
        SettingsError: the file cannot be read, or a row has no text; the message names the line, never its words.

    """
    seen: set[Conversation] = set()
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for number, line in enumerate(content.decode().split("\n"), start=1):
            if line.strip():
                row = _row(json.loads(line), where=f"{path.name}:{number}")
                if row.conversation not in seen:
                    seen.add(row.conversation)
                    yield row
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(f"{path}: cannot be read as lines of JSON ({type(error).__name__})") from error


def _row(content: object, *, where: str) -> Row:
    if not isinstance(content, dict):
        raise SettingsError(f"{where}: a row is a JSON object")
    label = str(content.get("label") or ROUTINE)
    if isinstance(prompt := content.get("prompt"), list):
        messages = tuple(Message(Role(turn["role"]), str(turn["content"])) for turn in prompt)
        return Row(Conversation(messages), label)
    text = next((content[name] for name in _TEXT_FIELDS if content.get(name)), None)
    if not isinstance(text, str):
        raise SettingsError(f"{where}: no text under any of {', '.join(_TEXT_FIELDS)}, and no messages under `prompt`")
    return Row(Conversation((Message(Role.USER, text),)), label)
