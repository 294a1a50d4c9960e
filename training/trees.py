"""A dialogue as one tree of tokens: every branch attends to its own past only, so one forward pass gives many labels.

The prompt is the root; each draft hangs from it; each verdict, edit and rewrite hangs from its draft. Positions go on
from the parent, so every path reads exactly as it will when it is served.
"""

import itertools
import random
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from training.chatml import END, REPLY, SPECIAL, render
from training.dialogues.dialogue import Dialogue
from training.dialogues.library import Exemplar
from training.dialogues.scenes import SLOT

# A verdict is one word: it weighs as much as a sentence. What we say to the model is learnt a little too: it teaches
# the words, and the list of a draft's sentences teaches copying.
WEIGHTS: Mapping[str, float] = {
    "draft": 1.0,
    "verdict": 6.0,
    "edits": 1.0,
    "rewrite": 0.7,
    "prompt": 0.15,
    "drill": 0.5,
}
STAGES = tuple(WEIGHTS)


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
            if parent < 0:
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
        count = len(self.parents)
        kin = np.eye(count, dtype=bool)
        for segment, parent in enumerate(self.parents):
            if parent >= 0:
                kin[segment] |= kin[parent]
        segments = np.asarray(self.segments)
        first = [int(np.searchsorted(segments, s)) for s, parent in enumerate(self.parents) if parent <= 0]
        spans = zip(first, [*first[1:], len(segments)], strict=True)
        return [(start, end, np.tril(kin[segments[start:end]][:, segments[start:end]])) for start, end in spans]

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


def association(rng: random.Random, exemplar: Exemplar, statement: str, *, tokenizer: Tokenizer) -> Tree:
    """What belongs together, said in a row: a principle's statement or a criterion, and a sentence that does it."""
    sentence = SLOT.sub("it", rng.choice(exemplar.does))
    pair = rng.choice(((statement, sentence), (exemplar.criterion.text, sentence), (sentence, exemplar.criterion.text)))
    first, second = (tokenizer.encode(text, add_special_tokens=False).ids for text in (pair[0] + "\n", pair[1] + END))
    tree = Tree()
    tree.add([(list(first), None), (list(second), "drill")], parent=-1)
    return tree


def _run(rng: random.Random, vocabulary: int) -> list[int]:
    return [rng.randrange(len(SPECIAL), vocabulary) for _ in range(rng.randint(3, 16))]


def plant(dialogue: Dialogue, tokenizer: Tokenizer, *, limit: int) -> Tree:
    """The dialogue's tree, at most `limit` tokens: branches that do not fit are left out."""

    def encode(text: str) -> list[int]:
        return list(tokenizer.encode(text, add_special_tokens=False).ids)

    tree = Tree()
    root = tree.add([(encode(render(dialogue.setting.prompt) + REPLY), "prompt")], parent=-1)
    for answer in dialogue.answers:
        said = encode(answer.text + END)
        if len(tree.ids) + len(said) > limit:
            break
        draft = tree.add([(said, "draft" if answer.learn else None)], parent=root)
        for branch in answer.branches:
            asked = encode(f"\n{render((branch.instruction,))}{REPLY}")
            reply = encode(branch.reply + END)
            if len(tree.ids) + len(asked) + len(reply) <= limit:
                tree.add([(asked, "prompt"), (reply, branch.stage)], parent=draft)
    return tree
