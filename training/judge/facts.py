"""Answers made of facts that are each known in several wordings: told in one, claimed in another."""

import random
from dataclasses import dataclass
from functools import cache

from training.judge.group import Group, asides, group, kept_back, lines, reword, spoil


@dataclass(frozen=True, slots=True)
class Fact:
    """`says` are wordings of one thing; `near` are about the same matter and not said by them."""

    topic: str
    says: tuple[str, ...]
    near: tuple[str, ...]


@cache
def facts() -> tuple[Fact, ...]:
    """All of wordings/facts.txt."""
    found: list[Fact] = []
    topic = ""
    says: list[str] = []
    near: list[str] = []
    for line in (*lines("facts.txt"), "## end"):
        if line[:1] in "=#" and near:
            found.append(Fact(topic, tuple(says), tuple(near)))
            says, near = [], []
        if line.startswith("##"):
            topic = line[3:]
        elif line.startswith("="):
            says.append(line[2:])
        else:
            near.append(line[2:])
    return tuple(found)


def told(rng: random.Random, *, held_out: bool = False) -> Group:
    """An answer of some facts of one topic and a few of others."""
    known = [fact for fact in facts() if kept_back(fact.topic) is held_out]
    topic = rng.choice(sorted({fact.topic for fact in known}))
    own = [fact for fact in known if fact.topic == topic]
    rng.shuffle(own)
    own, silent = own[: (cut := rng.randint(1, len(own)))], own[cut:]
    others = [fact for fact in known if fact.topic != topic]
    strange = rng.sample(others, min(len(others), rng.choice((0, 1, 2, 4))))
    sentences, yes, no = [], [], []
    for fact in (*own, *strange):
        wordings = list(fact.says)
        rng.shuffle(wordings)
        if rng.random() < 0.15:  # something near it is said instead
            near = rng.choice(fact.near)
            sentences.append(near)
            yes.append(reword(rng, near))
            no += wordings[:2]
            continue
        sentences.append(reword(rng, wordings[0], share=0.15))
        yes += [reword(rng, text, share=0.15) for text in wordings[1 : rng.randint(2, 3)]]
        yes += [reword(rng, wordings[0])] if rng.random() < 0.2 else []
        no += [reword(rng, rng.choice(fact.near), share=0.15)] if rng.random() < 0.6 else []
        no += [spoil(rng, rng.choice(wordings))] if rng.random() < 0.1 else []
    no += [reword(rng, rng.choice(fact.says), share=0.15) for fact in silent[:4]]
    rng.shuffle(sentences)
    return group(rng, " ".join(asides(rng, sentences)), yes, no, "facts", topic)
