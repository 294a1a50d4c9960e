"""Answers to the gateway's own criteria: the demonstration's drafts, each with the criteria it is known to meet."""

import random
from functools import cache

from training.dialogues.branches import YES
from training.dialogues.dialogue import Source
from training.dialogues.library import Library, load, queries
from training.dialogues.words import Split
from training.judge.group import Claim, Group


@cache
def _source(split: Split) -> Source:
    library = load()
    principles = library.trained if split is Split.TRAIN else library.held_out
    return Source(library, queries(), 11, split, principles)


def criteria(rng: random.Random, *, split: Split = Split.TRAIN) -> Group:
    """One draft with the criteria asked of it."""
    source = _source(split)
    texts = _texts(source.library)
    while True:
        drafted = [a for a in source.dialogue(rng.randrange(1_000_000)).answers if a.branches]
        for answer in drafted[::-1]:
            asked = [b for b in answer.branches if b.stage == "verdict" and b.targets[0] in texts]
            if asked:
                claims = tuple(Claim(texts[b.targets[0]], told=b.reply == YES) for b in asked)
                return Group(answer.text, claims, "rubric")


@cache
def _texts_of(root: int, library: Library) -> dict[str, str]:
    del root
    return {e.criterion.id: e.criterion.text for p in library.principles for e in p.exemplars}


def _texts(library: Library) -> dict[str, str]:
    return _texts_of(id(library), library)
