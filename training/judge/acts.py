"""Answers that do things, and criteria that name what may be done: to advise, ask, warn, refuse, say in plain words.

A criterion is asked of an answer that does it, of one that says something else on the matter, and of one that says
nothing of it; never where another sentence comes near to doing it, for then nobody has said whether it does.
"""

import random
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from training.dialogues import acts as inventions
from training.dialogues.dialogue import Source as Dialogues
from training.dialogues.library import Exemplar, Library, Principle, load, queries
from training.dialogues.words import Split, Words
from training.judge.facts import facts
from training.judge.group import Claim, Group, Source, asides, group, lines, reword

_FORMS = ("The response {}", "The answer {}", "Response {}", "The assistant {}", "In the answer, it {}")
_FORMED = 0.3
_CLOSE = 0.42  # a sentence this near to a criterion may do it
_CRITERIA = 10
_STRANGE = 4
Vectors = Callable[[Sequence[str]], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Act:
    """What may be done, in the words of a criterion; sentences that do it, and some of the same matter that do not."""

    topic: str
    names: tuple[str, ...]
    does: tuple[str, ...]
    misses: tuple[str, ...]

    @property
    def fold(self) -> int:
        """Acts of one topic are held out together."""
        return zlib.crc32(self.topic.encode()) % FOLDS


FOLDS = 5


@cache
def written() -> tuple[Act, ...]:
    """All of wordings/acts.txt."""
    blocks: list[list[str]] = []
    for line in lines("acts.txt"):
        if line.startswith("## "):
            blocks.append([])
        blocks[-1].append(line)
    return tuple(_act(block) for block in blocks)


@cache
def exemplified() -> tuple[Act, ...]:
    """The gateway's own criteria with their exemplars, of those principles that training may see."""
    return tuple(_of(principle, each) for principle in _library()[0].trained for each in principle.exemplars)


def done(acts: Sequence[Act], vectors: Vectors) -> Source:
    """Answers of some sentences that do or do not do what these acts name."""
    return partial(_done, tuple(acts), _Near(acts, vectors))


def invented(rng: random.Random) -> Group:
    """The same with acts that are made up on the spot."""
    words = Words(rng, Split.TRAIN)
    acts = [
        _of(principle, each)
        for principle in (inventions.made_up(words) for _ in range(6))
        for each in principle.exemplars
    ]
    told, said = list[str](), list[str]()
    untold = [name for act in acts[4:] for name in act.names]
    for act in acts[:4]:
        sentence, does = _said(rng, act)
        said.append(sentence)
        (told if does else untold).append(act.names[0])
    return group(rng, " ".join(asides(rng, said)), told, untold, "invented")


def drafted(number: int, *, seed: int, split: Split = Split.TRAIN, held_out: bool = False) -> list[tuple[Group, int]]:
    """A dialogue's good and poor draft with its rubric; a group and a fold for each fold of criteria."""
    library, asked = _library()
    source = Dialogues(library, asked, seed, split, library.held_out if held_out else library.trained)
    dialogue = source.dialogue(number)
    if dialogue.setting.scene.fixed:
        return []
    exemplars = {e.criterion.id: e for p in dialogue.setting.guide for e in p.exemplars}
    rubric = sorted(exemplars.values(), key=lambda e: -e.criterion.weight)[:_CRITERIA]
    found = []
    for answer in (dialogue.answers[0], dialogue.answers[-1]):
        claims: dict[int, list[Claim]] = {}
        for each in rubric:
            fold = zlib.crc32(each.criterion.principle_id.encode()) % FOLDS
            told = any(text in answer.body for text in each.does)
            claims.setdefault(fold, []).append(Claim(each.criterion.text, float(told)))
        found += [(Group(answer.body, tuple(some), "drafts"), fold) for fold, some in claims.items()]
    return found


@cache
def _library() -> tuple[Library, dict[str, tuple[str, ...]]]:
    return load(), queries()


class _Near:
    """Which sentences may do what an act names, as far as vectors tell."""

    def __init__(self, acts: Sequence[Act], vectors: Vectors) -> None:
        self._names = {name: v for act in acts for name, v in zip(act.names, vectors(act.names), strict=True)}
        texts = list(dict.fromkeys(text for act in acts for text in (*act.does, *act.misses)))
        texts += [fact.says[0] for fact in facts()]
        self._texts = dict(zip(texts, vectors(texts), strict=True))
        self._does = {act.names[0]: np.stack([self._texts[text] for text in act.does]) for act in acts}

    def may_do(self, act: Act, sentence: str) -> bool:
        there = self._texts[sentence]
        own = self._does[act.names[0]]
        return bool(max(float(self._names[name] @ there) for name in act.names) > _CLOSE or (own @ there).max() > 0.6)


def _done(acts: tuple[Act, ...], near: _Near, rng: random.Random) -> Group:
    first = rng.choice(acts)
    alike = [act for act in acts if act.topic == first.topic]
    some = list(dict.fromkeys((*rng.sample(alike, min(len(alike), 3)), *rng.sample(acts, rng.randint(2, 5)))))
    said: list[tuple[Act | None, str]] = []
    told, untold = [], []
    for act in some:
        if rng.random() < 0.2:
            continue
        sentence, does = _said(rng, act)
        said.append((act, sentence))
        if does:
            told.append(_formed(rng, act))
    said += [(None, rng.choice(fact.says[:1])) for fact in rng.sample(facts(), rng.choice((0, 0, 1, 2, 4)))]
    for act in (*some, *rng.sample(acts, min(len(acts), _STRANGE))):
        mine = [text for by, text in said if by is act]
        if any(text in act.does for text in mine):
            continue
        if not any(near.may_do(act, text) for by, text in said if by is not act):
            untold.append(_formed(rng, act))
    rng.shuffle(said)
    body = " ".join(asides(rng, [reword(rng, text, share=0.15) for _, text in said], most=1))
    return group(rng, body or "I hope this helps.", told, untold, "acts")


def _said(rng: random.Random, act: Act) -> tuple[str, bool]:
    does = rng.random() < 0.6
    return rng.choice(act.does if does or not act.misses else act.misses), does or not act.misses


def _formed(rng: random.Random, act: Act) -> str:
    name = rng.choice(act.names)
    return rng.choice(_FORMS).format(name[:1].lower() + name[1:]) if rng.random() < _FORMED else name


def _act(block: Sequence[str]) -> Act:
    names = tuple(name.strip() for name in block[0][3:].split("|"))
    does, misses = (tuple(line[2:] for line in block[1:] if line.startswith(mark)) for mark in "+-")
    return Act(names[0], names, does, misses)


def _of(principle: Principle, each: Exemplar) -> Act:
    return Act(principle.id, (each.criterion.text,), each.does, each.misses)
