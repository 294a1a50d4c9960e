"""The question behind each drafted example, kept beside the drafts: `distil` reads its scenario there."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from training.journal import Journal, finished
from training.preferences import pages
from training.preferences.examples import Example

_FILE: Final = "examples.jsonl"


class NoQuestion(ValueError):
    """An example that was accepted has no question in its folder; the message says which, and what to do."""


def keep(folder: Path, examples: Iterable[Example]) -> None:
    """Writes the questions of examples beside those that the folder has, whole or not at all.

    Raises:
        JournalBroken: a line of those that it has is no row, or another run writes here.

    """
    with Journal(folder / _FILE) as known:
        rows = dict(known)
        for example in examples:
            rows[example.id] = {"key": example.id, "question": example.question, "preferred_by": example.author}
        pages.write(known.path, "".join(json.dumps(row) + "\n" for row in rows.values()))


def questions(folder: Path, accepted: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """By id, the question of every example that was accepted.

    Raises:
        NoQuestion: one has none.
        JournalBroken: a line is no row.

    """
    path = folder / _FILE
    known = finished(path) if path.exists() else {}
    found = {}
    for name in dict.fromkeys(one["id"] for one in accepted):
        if name not in known:
            raise NoQuestion(
                f"{path}: lacks the question of example {name}, which was accepted: "
                "give `clinalign rubrics draft` its preferences again, with this folder"
            )
        found[name] = str(known[name]["question"])
    return found
