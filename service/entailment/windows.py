"""A long answer as overlapping windows of whole sentences, each no longer than what the reader was trained on."""

from collections.abc import Callable, Sequence

from service.prompts.sentences import split

OVERLAP = 0.25


def windows(text: str, *, most: int, count: Callable[[str], int]) -> tuple[str, ...]:
    """Windows of at most `most` tokens by `count`; each starts about a quarter before its predecessor ends.

    A sentence that is longer than a window is cut at words. Every word of the text is in a window.
    """
    pieces = [piece for sentence in split(text) for piece in _cut(sentence, most=most, count=count)]
    sizes = [count(piece) for piece in pieces]
    found: list[str] = []
    start = 0
    while start < len(pieces):
        end, total = start, 0
        while end < len(pieces) and (end == start or total + sizes[end] <= most):
            total += sizes[end]
            end += 1
        found.append("".join(pieces[start:end]).strip())
        if end == len(pieces):
            break
        start = _next_start(sizes, start, end, overlap=OVERLAP * most)
    return tuple(window for window in found if window)


def _next_start(sizes: Sequence[int], start: int, end: int, *, overlap: float) -> int:
    """Back from the end by as many whole pieces as the overlap holds, but always on from the last start."""
    back, total = end, 0
    while back - 1 > start and total + sizes[back - 1] <= overlap:
        back -= 1
        total += sizes[back]
    return back


def _cut(sentence: str, *, most: int, count: Callable[[str], int]) -> tuple[str, ...]:
    if count(sentence) <= most:
        return (sentence,)
    middle = len(sentence) // 2
    space = sentence.rfind(" ", 1, middle)
    at = space if space > 0 else middle
    if at <= 0:
        return (sentence,)
    return (*_cut(sentence[:at], most=most, count=count), *_cut(sentence[at:], most=most, count=count))
