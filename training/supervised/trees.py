"""A dialogue as one tree of tokens: every branch attends to its own past only, so one forward pass gives many labels.

The prompt is the root; each draft hangs from it; each verdict, edit and rewrite hangs from its draft. Positions go on
from the parent, so every path reads exactly as it will when it is served.
"""

import itertools
import random
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from service.prompts.base import base
from service.prompts.sentences import split
from training.chatml import END, REPLY, SPECIAL, render
from training.dialogues.branches import Branch
from training.dialogues.dialogue import Dialogue, Judged
from training.dialogues.drafts import opening
from training.dialogues.library import Principle
from training.dialogues.scenes import Scene

# A verdict is one word: it weighs as much as a sentence. What must be repeated to the letter weighs more than what can
# be known by heart, and so do the first tokens of a draft's sentence, which choose what it does. Of what we say to the
# model only the list of a draft's sentences is learnt: it teaches copying.
WEIGHTS: Mapping[str, float] = {
    "quote": 3.0,
    "choice": 4.0,
    "draft": 1.0,
    "verdict": 6.0,
    "edits": 1.5,
    "rewrite": 0.7,
    "asked": 0.2,
    "drill": 0.5,
}
STAGES = tuple(WEIGHTS)
_CHOOSE = 3


@dataclass(slots=True)
class Tree:
    """Tokens in order, and for each: position, segment, loss weight (0: not learnt) and stage (-1: none).

    `parents[s]` is the segment that segment s hangs from; the root's is -1. Parents come before their children.
    """

    ids: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    segments: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    stages: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)

    def add(self, pieces: list[tuple[list[int], str | None]], *, parent: int) -> int:
        """Appends a segment of pieces, each with the stage whose loss it bears (None: no loss). Returns its number."""
        segment = len(self.parents)
        start = self.ends[parent] if parent >= 0 else 0
        for ids, stage in pieces:
            self.positions += range(start, start + len(ids))
            start += len(ids)
            self.ids += ids
            self.segments += [segment] * len(ids)
            weights = [WEIGHTS[stage] if stage else 0.0] * len(ids)
            if parent < 0 and weights and start == len(ids):
                weights[0] = 0.0  # nothing stands before it to say it from
            self.weights += weights
            self.stages += [STAGES.index(stage) if stage else -1] * len(ids)
        self.parents.append(parent)
        self.ends.append(start)
        return segment

    def blocks(self) -> list[tuple[int, int, NDArray[np.bool_]]]:
        """The root, then each draft with its branches: first token, end, and [own, own], may row attend to column.

        A block other than the root attends to all of the root besides, and to no other block.
        """
        kin = self.kin()
        segments = np.asarray(self.segments)
        first = [int(np.searchsorted(segments, s)) for s, parent in enumerate(self.parents) if parent <= 0]
        spans = zip(first, [*first[1:], len(segments)], strict=True)
        return [(start, end, np.tril(kin[segments[start:end]][:, segments[start:end]])) for start, end in spans]

    def kin(self) -> NDArray[np.bool_]:
        """[segments, segments]: itself and what it hangs from."""
        found = np.eye(len(self.parents), dtype=np.bool_)
        for segment, parent in enumerate(self.parents):
            if parent >= 0:
                found[segment] |= found[parent]
        return found

    def previous(self) -> NDArray[np.int64]:
        """[tokens]: for each token the index of the one before it on its path, which predicts it; -1 for the first."""
        last_of: list[int] = []
        found = np.arange(-1, len(self.ids) - 1)
        for at, segment in enumerate(self.segments):
            if segment == len(last_of):
                parent = self.parents[segment]
                found[at] = last_of[parent] if parent >= 0 else -1
                last_of.append(at)
            last_of[segment] = at
        return found


def drill(rng: random.Random, *, vocabulary: int) -> Tree:
    """Runs of random tokens, then the same runs in another order and at a distance: they can only be copied.

    Copying is what all stages rest on, and slow to come from dialogues alone. The distance is in positions only.
    """
    runs = [_run(rng, vocabulary) for _ in range(rng.randint(1, 4))]
    tree = Tree()
    root = tree.add([(list(itertools.chain(*runs)), None)], parent=-1)
    rng.shuffle(runs)
    tree.ends[root] += rng.choice((0, rng.randint(0, 100), rng.randint(0, 700)))
    # Nothing foretells which run comes next, so its first token is not learnt.
    tree.add([piece for first, *rest in runs for piece in (([first], None), (rest, "drill"))], parent=root)
    return tree


def _run(rng: random.Random, vocabulary: int) -> list[int]:
    return [rng.randrange(len(SPECIAL), vocabulary) for _ in range(rng.randint(3, 16))]


def echo(rng: random.Random, asked: Scene, statements: Sequence[str], tokenizer: Tokenizer) -> Tree:
    """A question with a few principles or none, and what an answer repeats, at the distance of as many as served.

    The system message is left out as often as not: a prompt as short as that teaches as much for less.
    """
    prompt = base(asked.conversation, principles=statements, audience=asked.audience)
    shown = prompt if rng.random() < 0.3 else prompt[1:]
    tree = Tree()
    root = tree.add([(_ids(tokenizer, render(shown)), None)], parent=-1)
    tree.ends[root] += rng.randint(0, 350)
    said = _ids(tokenizer, f"{opening(asked.quote)}\n{asked.found}")
    tree.add([(_ids(tokenizer, REPLY), None), (said, "quote")], parent=root)
    return tree


def association(rng: random.Random, principle: Principle, tokenizer: Tokenizer) -> Tree:
    """What belongs together, said in a row: a statement or a criterion, and a sentence that does it."""
    exemplar = rng.choice(principle.exemplars)
    sentence, wish = rng.choice(exemplar.does), exemplar.criterion.text
    pairs = [(wish, sentence), (sentence, wish)]
    if principle.sayable:
        pairs += 2 * [(principle.statement, " ".join(e.says for e in principle.sayable[:2]))]
    first, second = rng.choice(pairs)
    tree = Tree()
    tree.add([(_ids(tokenizer, first + "\n"), None), (_ids(tokenizer, second + END), "drill")], parent=-1)
    return tree


def plant(dialogue: Dialogue, tokenizer: Tokenizer, *, limit: int) -> Tree:
    """The dialogue's tree, at most `limit` tokens: branches that do not fit are left out."""
    tree = Tree()
    root = tree.add([(_ids(tokenizer, render(dialogue.setting.prompt) + REPLY), None)], parent=-1)
    for answer in dialogue.answers:
        said = _pieces(answer, dialogue.setting.scene, tokenizer)
        if len(tree.ids) + sum(len(ids) for ids, _ in said) > limit:
            break
        draft = tree.add(said, parent=root)
        _grow(tree, draft, answer.branches, tokenizer, limit=limit)
    return tree


def sprout(dialogue: Dialogue, tokenizer: Tokenizer, *, limit: int) -> Tree:
    """A prompt and the draft to learn alone: three of them cost what a dialogue does with all that is asked of it."""
    learnt = next(replace(answer, branches=()) for answer in dialogue.answers if answer.learn)
    return plant(replace(dialogue, answers=(learnt,)), tokenizer, limit=limit)


def graft(answer: Judged, tokenizer: Tokenizer, *, limit: int, stages: Container[str] = STAGES) -> Tree:
    """A draft and its branches without the prompt before it: to check and mend a text needs no question."""
    tree = Tree()
    root = tree.add([(_ids(tokenizer, REPLY + answer.text + END), None)], parent=-1)
    _grow(tree, root, [b for b in answer.branches if b.stage in stages], tokenizer, limit=limit)
    return tree


def _grow(tree: Tree, draft: int, branches: Sequence[Branch], tokenizer: Tokenizer, *, limit: int) -> None:
    for branch in branches:
        asked = _ids(tokenizer, f"\n{render((branch.instruction,))}{REPLY}")
        reply = _ids(tokenizer, branch.reply + END)
        if len(tree.ids) + len(asked) + len(reply) <= limit:
            learnt = "asked" if branch.stage == "edits" else None
            tree.add([(asked, learnt), (reply, branch.stage)], parent=draft)


def _pieces(answer: Judged, asked: Scene, tokenizer: Tokenizer) -> list[tuple[list[int], str | None]]:
    """The draft's tokens: what repeats the question and what a tool found, and the rest, sentence by sentence."""
    encoded = tokenizer.encode(answer.text + END, add_special_tokens=False)
    if not answer.learn:
        return [(encoded.ids, None)]
    line = len(f"{opening(asked.quote)}\n{asked.found}".rstrip()) if asked.quote else 0
    at = next((n for n, (start, _) in enumerate(encoded.offsets) if start > line), len(encoded.ids)) if line else 0
    pieces: list[tuple[list[int], str | None]] = [(encoded.ids[:at], "quote")]
    for first, last in itertools.pairwise([*_firsts(answer.text, at, encoded.offsets), len(encoded.ids)]):
        chosen = min(first + _CHOOSE, last)
        pieces += [(encoded.ids[first:chosen], "choice"), (encoded.ids[chosen:last], "draft")]
    return [(ids, stage) for ids, stage in pieces if ids]


def _firsts(text: str, at: int, offsets: Sequence[tuple[int, int]]) -> list[int]:
    """The first token of each sentence, from token `at` on."""
    starts = list(itertools.accumulate(map(len, split(text)), initial=0))
    found = [next(n for n, (_, end) in enumerate(offsets) if end > start) for start in starts[:-1]]
    return [at, *(n for n in found if n > at)]


def _ids(tokenizer: Tokenizer, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False).ids)
