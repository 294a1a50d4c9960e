"""Our own held-out set: the examples, each judged by a head that was fitted without it, or without its whole group."""

import random
from collections.abc import Sequence
from typing import Final

import numpy as np

from service.domain.conversation import Conversation, Message, Role
from service.pipeline.screen import Screen
from service.pipeline.screen.counting import BOTH, HEAD, RULES, Tally
from service.pipeline.screen.examples import Example
from service.pipeline.screen.fitting import fit
from service.pipeline.screen.head import THRESHOLD, Weights

PARTS: Final = 5
BY_GROUP: Final = "group"
BY_ROW: Final = "row"


def held_out(examples: Sequence[Example], weights: Weights, *, screen: Screen) -> Tally:
    """Counts by family, of dangers (`family`) and of routine texts (`family, routine`), in two folds.

    `group`: the texts of one idea are held out together; `row`: one text at a time, its siblings still learned.
    `weights` give the examples' vectors, in their order.
    """
    counts = Tally()
    rules = [bool(screen.screen(_asked(example.text), audience=None)) for example in examples]
    for fold in (BY_GROUP, BY_ROW):
        parts = _parts(examples, fold)
        for part in range(PARTS):
            out = np.array([p == part for p in parts])
            learned = fit([e for e, held in zip(examples, out, strict=True) if not held], weights.vectors[~out])
            scores = learned.scores(
                weights.vectors[out], [e.text for e, held in zip(examples, out, strict=True) if held]
            )
            for position, score in zip(np.flatnonzero(out).tolist(), scores, strict=True):
                _count(examples[position], fold, rules=rules[position], head=bool(score >= THRESHOLD), into=counts)
    return counts


def _count(example: Example, fold: str, *, rules: bool, head: bool, into: Tally) -> None:
    raised = {RULES: rules, HEAD: head, BOTH: rules or head}
    families = {source: (example.family,) if flagged else () for source, flagged in raised.items()}
    kind = "danger" if example.danger else "routine"
    into.add(f"all {kind}", fold, families)
    into.add(f"{example.family}, {kind}", fold, families)


def _parts(examples: Sequence[Example], fold: str) -> list[int]:
    """Which part each example is held out with."""
    units = [example.group if fold == BY_GROUP else example.text for example in examples]
    distinct = sorted(set(units))
    random.Random(0).shuffle(distinct)  # noqa: S311 - parts that are the same at every run
    part = {unit: place % PARTS for place, unit in enumerate(distinct)}
    return [part[unit] for unit in units]


def _asked(text: str) -> Conversation:
    return Conversation((Message(Role.USER, text),))
