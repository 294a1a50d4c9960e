"""The chain: each entry, as one line of canonical JSON, carries the hash of the line before and its own."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast

# What the first entry of a ledger has in place of a line before.
GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class Broken:
    """The first line that does not hold; lines count from 1, and `offset` is the byte where it begins."""

    line: int
    offset: int
    why: str


@dataclass(frozen=True, slots=True)
class Verification:
    """How many entries hold, the hash of the last that does, and what broke the chain, if anything did.

    A chain cannot tell that its last entries were cut off, or that all of it was written anew: keep `entries` and
    `head` where the ledger's writer cannot reach, and compare.
    """

    entries: int
    head: str
    broken: Broken | None

    @property
    def intact(self) -> bool:
        """Whether every line holds."""
        return self.broken is None


def canonical(value: object) -> bytes:
    """The one way to write a value as JSON: sorted keys, no white space, ASCII only.

    Raises:
        TypeError: it holds something that JSON does not.
        ValueError: it holds a number that JSON does not, or itself.

    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def seal(entry: Mapping[str, object], *, prev: str) -> tuple[bytes, str]:
    """The entry's line without its newline, and its hash: SHA-256 over the canonical JSON of the entry with `prev`."""
    linked = {**entry, "prev": prev}
    digest = hashlib.sha256(canonical(linked)).hexdigest()
    return canonical({**linked, "hash": digest}), digest


def read(line: bytes) -> dict[str, object] | None:
    """The entry of a line with its `prev` and `hash`, if the line is to the byte what `seal` writes; else None."""
    try:
        entry = json.loads(line)
        if not isinstance(entry, dict) or not isinstance(entry.get("prev"), str):
            return None
        rest = {name: value for name, value in entry.items() if name not in {"prev", "hash"}}
        return cast("dict[str, object]", entry) if seal(rest, prev=entry["prev"])[0] == line else None
    except (ValueError, RecursionError):
        return None


def verify_lines(lines: Iterable[bytes]) -> Verification:
    """Follow the chain through lines that still have their newlines, up to the first that does not hold."""
    entries, head, offset = 0, GENESIS, 0
    for line in lines:
        entry = read(line[:-1])
        why = _breakage(line, entry, head)
        if why is not None or entry is None:
            return Verification(entries, head, Broken(entries + 1, offset, why or ""))
        entries, head, offset = entries + 1, str(entry["hash"]), offset + len(line)
    return Verification(entries, head, None)


def _breakage(line: bytes, entry: Mapping[str, object] | None, head: str) -> str | None:
    if not line.endswith(b"\n"):
        return "it has no end: the write was cut short"
    if entry is None:
        return "its words do not match its hash"
    if entry["prev"] != head:
        return "it does not follow from the line before: a line is missing, added or moved"
    return None
