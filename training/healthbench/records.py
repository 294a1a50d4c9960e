"""HealthBench's rows and recorded verdicts: JSONL comes in, records go out; a bad row is named by file and line."""

import gzip
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from service.domain.conversation import Message, Role

_Row = TypeVar("_Row")


class BadRow(ValueError):
    """A row that cannot be used; the message says which, and what was expected, and none of its words."""


@dataclass(frozen=True, slots=True)
class Item:
    """A criterion: `points` from -10 to 10; below zero the thing named is bad. `tags` such as `axis:accuracy`."""

    criterion: str
    points: float
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """A conversation and what physicians look for in its answer. `tags` such as `theme:context_seeking`."""

    prompt_id: str
    prompt: tuple[Message, ...]
    rubric: tuple[Item, ...]
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """A grader's word on one criterion: `met` says that the thing is there, good or bad. None: the grading failed."""

    points: float
    met: bool | None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Graded:
    """All marks of one answer, and its length in words where it is known."""

    prompt_id: str
    marks: tuple[Mark, ...]
    tags: tuple[str, ...] = ()
    words: int | None = None


def read_cases(path: Path) -> tuple[Case, ...]:
    """The conversations of a HealthBench file.

    Raises:
        BadRow: a row lacks a field, or two rows have the same id.

    """
    return _distinct(path, _case)


def read_graded(path: Path) -> tuple[Graded, ...]:
    """Recorded verdicts: rows of `prompt_id` and `verdicts: [{points, met}]`; tags and `words` are optional.

    Raises:
        BadRow: a row lacks a field, or two rows have the same id.

    """
    return _distinct(path, _graded)


def lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The objects of a JSONL file (`.gz` is unpacked), each with `file:line`.

    Raises:
        BadRow: the file cannot be read, or a line is not a JSON object.

    """
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise BadRow(f"{path.name}:{number}: a row is a JSON object")
                yield f"{path.name}:{number}", row
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise BadRow(f"{path}: cannot be read ({type(error).__name__})") from error
    except json.JSONDecodeError as error:
        raise BadRow(f"{path.name}: line {number} is not JSON") from error


def _distinct(path: Path, read: Callable[[dict[str, Any]], tuple[str, _Row]]) -> tuple[_Row, ...]:
    found: dict[str, _Row] = {}
    for where, row in lines(path):
        try:
            name, record = read(row)
        except (KeyError, TypeError, ValueError) as error:
            raise BadRow(f"{where}: {_said(error)}") from error
        if name in found:
            raise BadRow(f"{where}: prompt_id {name} came before")
        found[name] = record
    if not found:
        raise BadRow(f"{path}: no rows")
    return tuple(found.values())


def _said(error: Exception) -> str:
    return f"field {error} is missing" if isinstance(error, KeyError) else str(error)


def _case(row: dict[str, Any]) -> tuple[str, Case]:
    prompt = tuple(Message(_role(turn["role"]), _text(turn, "content")) for turn in _objects(row, "prompt"))
    rubric = tuple(
        Item(_text(item, "criterion"), _points(item["points"]), _tags(item, "tags"))
        for item in _objects(row, "rubrics")
    )
    name = str(row["prompt_id"])
    return name, Case(name, prompt, rubric, _example_tags(row))


def _graded(row: dict[str, Any]) -> tuple[str, Graded]:
    verdicts = _objects(row, "verdicts")
    marks = tuple(Mark(_points(v["points"]), _met(v["met"]), _tags(v, "tags")) for v in verdicts)
    name = str(row["prompt_id"])
    return name, Graded(name, marks, _example_tags(row), _words(row.get("words")))


def _example_tags(row: dict[str, Any]) -> tuple[str, ...]:
    """HealthBench's own tags; some copies of it carry the theme in a field of its own."""
    theme = (f"theme:{row['theme']}",) if row.get("theme") else ()
    return tuple(dict.fromkeys((*_tags(row, "example_tags"), *theme)))


def _objects(row: dict[str, Any], name: str) -> list[dict[str, Any]]:
    value = row[name]
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise ValueError(f"{name}: should be a list of objects")
    return value


def _text(row: dict[str, Any], name: str) -> str:
    if isinstance(value := row[name], str):
        return value
    raise ValueError(f"{name}: should be text")


def _role(value: object) -> Role:
    if not isinstance(value, str) or value not in set(Role):
        raise ValueError(f"role: should be one of {', '.join(Role)}")
    return Role(value)


def _words(value: object) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise ValueError("words: should be a whole number, or null where it is not known")
    return value


def _points(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("points: should be a number")
    return float(value)


def _met(value: object) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise ValueError("met: should be true, false, or null where the grading failed")
    return value


def _tags(row: dict[str, Any], name: str) -> tuple[str, ...]:
    value = row.get(name)
    if value is not None and not isinstance(value, list):
        raise ValueError(f"{name}: should be a list of tags")
    return tuple(str(tag) for tag in value or ())
