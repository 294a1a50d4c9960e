"""Groups of any source in; the same with long criteria out, each made of several claims that must all be told."""

import random
from functools import partial

from training.judge.group import Claim, Group, Source

_OPENINGS = (
    "The response should do all of the following: {parts}.",
    (
        "To meet this criterion, the answer must cover every one of these points. {parts}. Leaving out any of them "
        "means that the criterion is not met."
    ),
    "A good answer to this person says several things at once, and each is needed: {parts}.",
    "The answer meets this criterion only if it says, in whatever words, that {parts}.",
    "Criterion: the reply tells the person, completely and in plain language, the following. {parts}.",
    "{parts}. All of this should be said clearly enough that a layperson would understand it.",
)
_JOINTS = ("; ", "; and ", ". It also says: ", " and that ", "\n- ")
_FEWEST, _MOST = 2, 6


def composed(source: Source) -> Source:
    """Half of a group's claims are taken together, some at a time; the rest stay as they are."""
    return partial(_composed, source)


def _composed(source: Source, rng: random.Random, **options: bool) -> Group:
    made = source(rng, **options)
    claims = [_together(rng, made.claims) for _ in range(max(1, len(made.claims) // 2))]
    alone = rng.sample(made.claims, len(made.claims) // 2)
    return Group(made.answer, (*claims, *alone), "composed", made.question)


def _together(rng: random.Random, claims: tuple[Claim, ...]) -> Claim:
    """All of some claims: told as far as the least told of them. Often of told ones only, or none would be told."""
    told = [claim for claim in claims if claim.told > 0]
    pool = told if len(told) >= _FEWEST and rng.random() < 0.6 else claims
    count = min(len(pool), rng.randint(_FEWEST, _MOST))
    parts = rng.sample(pool, count)
    text = rng.choice(_JOINTS).join(part.text.rstrip(". ") for part in parts)
    return Claim(rng.choice(_OPENINGS).format(parts=text), min(part.told for part in parts))
