"""What changed between two texts, word by word."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum
from itertools import groupby

# A run of white space, one character of a script that is written without spaces, a word or number, or a mark.
_TOKEN = re.compile(r"\s+|[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]|\w+(?:[.,'\u2019]\w+)*|[^\w\s]")
# Above this many pairs of words that could match, comparing them takes longer than anybody waits.
_MOST_PAIRS = 4_000_000


class Op(StrEnum):
    """What became of a piece of text."""

    KEEP = "keep"
    INSERT = "insert"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of characters with one fate; never empty."""

    op: Op
    text: str


def diff(before: str, after: str) -> tuple[Piece, ...]:
    """The way from one text to the other: kept and deleted pieces joined are `before`, kept and inserted ones `after`.

    Neighbouring pieces differ in `op`, and what was deleted stands before what was put in its place. Texts too long
    to compare word by word are one deletion and one insertion between the words they share at both ends.
    """
    old, new = _TOKEN.findall(before), _TOKEN.findall(after)
    start = _shared(old, new)
    end = _shared(old[start:][::-1], new[start:][::-1])
    head, tail = "".join(old[:start]), "".join(old[len(old) - end :])
    middle = _middle(old[start : len(old) - end], new[start : len(new) - end])
    return tuple(_joined([Piece(Op.KEEP, head), *middle, Piece(Op.KEEP, tail)]))


def _shared(old: list[str], new: list[str]) -> int:
    """How many tokens two lists begin with alike."""
    count = 0
    for one, other in zip(old, new, strict=False):
        if one != other:
            break
        count += 1
    return count


def _middle(old: list[str], new: list[str]) -> Iterator[Piece]:
    if len(old) * len(new) > _MOST_PAIRS:
        yield from (Piece(Op.DELETE, "".join(old)), Piece(Op.INSERT, "".join(new)))
        return
    for tag, old_from, old_to, new_from, new_to in SequenceMatcher(str.isspace, old, new, autojunk=False).get_opcodes():
        was, now = "".join(old[old_from:old_to]), "".join(new[new_from:new_to])
        if tag == "equal" and not was.isspace():
            yield Piece(Op.KEEP, was)
        else:
            # A space alone that both share would tear a changed phrase into single words.
            yield from (Piece(Op.DELETE, was), Piece(Op.INSERT, now))


def _joined(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Neighbours of one kind as one piece, and in each change the deletion before the insertion."""
    full = (piece for piece in pieces if piece.text)
    for kept, run in groupby(full, key=lambda piece: piece.op is Op.KEEP):
        together = tuple(run)
        for op in (Op.KEEP,) if kept else (Op.DELETE, Op.INSERT):
            text = "".join(piece.text for piece in together if piece.op is op)
            if text:
                yield Piece(op, text)
