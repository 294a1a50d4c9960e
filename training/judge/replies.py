"""Whole replies in a chat model's style, with claims and the sentences that tell them: all of it, or what is left."""

import random
import re
from dataclasses import dataclass
from functools import cache

from training.judge.group import Group, asides, group, kept_back, lines, reword

_LINE = re.compile(r"(?P<support>[\d|&]+) (?P<text>.+)")


@dataclass(frozen=True, slots=True)
class Supported:
    """A claim that any of `ways` tells: each is a set of sentences that must all stand. Without one it is untold."""

    text: str
    ways: tuple[frozenset[int], ...]

    def told_by(self, kept: frozenset[int]) -> bool:
        """Whether these sentences tell it."""
        return any(way <= kept for way in self.ways)


@dataclass(frozen=True, slots=True)
class Reply:
    """A question, its reply in sentences numbered from 1, and claims about it."""

    question: str
    sentences: tuple[str, ...]
    claims: tuple[Supported, ...]


@cache
def replies() -> tuple[Reply, ...]:
    """All of wordings/replies.txt."""
    blocks: list[list[str]] = []
    for line in lines("replies.txt"):
        if line.startswith("## "):
            blocks.append([])
        blocks[-1].append(line)
    return tuple(_reply(block) for block in blocks)


def replied(rng: random.Random, *, held_out: bool = False) -> Group:
    """One reply, whole or in part, now and then with a sentence of another."""
    known = [reply for reply in replies() if kept_back(reply.question) is held_out]
    reply, other = rng.sample(known, 2)
    count = len(reply.sentences)
    size = count if rng.random() < 0.4 else rng.randint(max(1, count // 3), count)
    kept = frozenset(rng.sample(range(1, count + 1), size))
    told = [claim.text for claim in reply.claims if claim.told_by(kept)]
    untold = [claim.text for claim in reply.claims if not claim.told_by(kept)]
    sentences = [reword(rng, reply.sentences[k - 1], share=0.15) for k in sorted(kept)]
    strange = [claim.text for claim in other.claims]
    if rng.random() < 0.2:
        sentences.insert(rng.randint(0, len(sentences)), rng.choice(other.sentences))
        strange = []
    untold += rng.sample(strange, min(len(strange), 2))
    body = " ".join(asides(rng, sentences, most=1))
    told, untold = ([reword(rng, text, share=0.2) for text in texts] for texts in (told, untold))
    return group(rng, body, told, untold, "replies", reply.question)


def _reply(block: list[str]) -> Reply:
    sentences, claims = [], []
    for line in block[1:]:
        if line.startswith("- "):
            claims.append(Supported(line[2:], ()))
            continue
        found = _LINE.fullmatch(line.removeprefix("+ "))
        if found is None:
            raise ValueError(f"replies.txt: not a sentence, a claim or a question: {line}")
        if line.startswith("+ "):
            ways = tuple(frozenset(map(int, way.split("&"))) for way in found["support"].split("|"))
            claims.append(Supported(found["text"], ways))
        else:
            sentences.append(found["text"])
    return Reply(block[0][3:], tuple(sentences), tuple(claims))
