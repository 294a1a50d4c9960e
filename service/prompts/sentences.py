"""A text as its sentences, without losing a character."""

import re

# A sentence ends at its full stop (with closing quotes or brackets) before white space, at a CJK stop, at a line's end.
_BOUNDARY = re.compile(r"(?:[.!?؟]+[\"'”’)\]]*(?=\s)|[。！？]+[”’」）]*|\n)\s*")  # noqa: RUF001 - full-width marks are meant
# A stop that ends no sentence: titles, Latin abbreviations, initials, and the number of a list item.
_NO_STOP = re.compile(
    r"(?:^|[\s(])(?:dr|mr|mrs|ms|prof|st|vs|e\.g|i\.e|etc|approx|no|fig|[a-z]|\d{1,2})\.$", re.IGNORECASE
)


def split(text: str) -> tuple[str, ...]:
    """The sentences with the white space that follows them: joined, they are the text again."""
    pieces: list[str] = []
    start = 0
    for found in _BOUNDARY.finditer(text):
        piece = text[start : found.end()]
        if not piece.strip() or ("\n" not in found[0] and _NO_STOP.search(piece.rstrip())):
            continue
        pieces.append(piece)
        start = found.end()
    if start < len(text):
        pieces.append(text[start:])
    return tuple(pieces)


def opening(sentence: str, *, words: int = 4) -> str:
    """The first words of a sentence, which name it."""
    return " ".join(sentence.split()[:words])
