"""A group in; one for each window of its answer out, as the gateway reads long answers.

What the answer does not tell no window tells. What it tells is told by that window which has most of the claim's words;
of the others nobody has said whether they tell it, so they are not asked.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from service.entailment.lexical import AnswerWords
from service.entailment.windows import windows
from training.judge.group import Claim, Group


def windowed(made: Group, *, most: int, count: Callable[[str], int]) -> list[Group]:
    """Groups whose answers have at most `most` tokens by `count`; those without a claim are left out."""
    if count(made.answer) <= most:
        return [made]
    parts = windows(made.answer, most=most, count=count)
    homes = [_home(parts, claim) for claim in made.claims]
    found = []
    for at, part in enumerate(parts):
        claims = tuple(c for c, home in zip(made.claims, homes, strict=True) if home in (at, None))
        if claims:
            found.append(replace(made, answer=part, claims=claims))
    return found


def _home(parts: Sequence[str], claim: Claim) -> int | None:
    """The window that tells it; None of what is not told."""
    if claim.told == 0.0:
        return None
    shares = [AnswerWords(part).compare(claim.text).whole for part in parts]
    return shares.index(max(shares))
