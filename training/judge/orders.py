"""A group in; the same out, now and then with words for whoever judges it, which tell nothing of any claim."""

import random
from dataclasses import replace

from training.judge.group import Group, lines

_SHARE = 0.2
_MOST = 6
_ALONE = "\n\n"


def ordered(rng: random.Random, made: Group) -> Group:
    """Some lines of wordings/orders.txt after the answer, or before it; every label stays as it is."""
    if rng.random() > _SHARE:
        return made
    said = " ".join(rng.sample(lines("orders.txt"), rng.randint(1, _MOST)))
    parts = (made.answer, said) if rng.random() < 1 - _SHARE else (said, made.answer)
    return replace(made, answer=_ALONE.join(parts))
