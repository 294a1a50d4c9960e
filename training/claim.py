"""A folder's claim: what its work is made from comes in, is written once, and is held against at every later start."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


class OtherWork(ValueError):
    """The folder holds work that was made from something else; the message says what changed and what to do."""


def claim(
    path: Path,
    facts: Mapping[str, Any],
    *,
    first: Mapping[str, Any] | None = None,
    later: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Writes `facts` to `path` at the first start; later refuses others. What was written first is given back.

    `first` is only ever written at the first start, and not compared: the revision that the work began at, say.
    `later` are facts that an earlier version did not claim: a folder without them gets them, and then holds to them.

    Raises:
        OtherWork: the folder's facts are other ones, or cannot be read.

    """
    facts = {**facts, **(later or {})}
    if not path.exists():
        return _write(path, {**facts, **(first or {})})
    known = _read(path)
    if missing := {name: value for name, value in (later or {}).items() if name not in known}:
        known = _write(path, {**known, **missing})
    was, now = dict(_flat(known)), dict(_flat(json.loads(json.dumps(facts))))  # as read again: tuples are lists there
    for name, value in now.items():
        if name not in was or was[name] != value:
            raise OtherWork(
                f"{path.parent} holds work of {name} {_short(was.get(name))}, not {_short(value)}: "
                "choose another folder or name, or remove this one"
            )
    return known


def _write(path: Path, told: dict[str, Any]) -> dict[str, Any]:
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    partial.replace(path)
    return told


def _flat(facts: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, Any]]:
    """Each fact under its whole name, so that the one which changed is what is told."""
    for name, value in facts.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{at}{name}.")
        else:
            yield f"{at}{name}", value


def _read(path: Path) -> dict[str, Any]:
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OtherWork(f"{path}: cannot be read ({type(error).__name__}); remove its folder to start anew") from error
    if not isinstance(known, dict):
        raise OtherWork(f"{path}: is no claim of a folder; remove its folder to start anew")
    return known


def _short(value: object) -> str:
    """Digests are long, and their beginning tells them apart."""
    text = "(none)" if value is None else json.dumps(value)
    return text if len(text) <= 200 else f"{text[:200]}..."
