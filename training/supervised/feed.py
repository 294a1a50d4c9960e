"""The batch of every step: a pure function of seed and number, so that a run can stop anywhere.

Made in as many processes as the run names: a GPU learns faster than one can make batches.
"""

import random
from collections.abc import Iterator
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch.utils.data import DataLoader, Dataset

from training.dialogues import library
from training.dialogues.dialogue import Source
from training.dialogues.scenes import Scene, scrambled
from training.dialogues.words import Split
from training.supervised.batch import Batch, layout
from training.supervised.config import RunConfig
from training.supervised.trees import Tree, association, drill, echo, graft, plant, sprout

# Scenes drawn for each echo: those that are rare and often wrong are taken first.
_DRAWN = 4


def source(config: RunConfig, split: Split) -> Source:
    """The run's dialogues of one split."""
    everything = library.load()
    return Source(everything, library.queries(), config.seed, split, everything.trained)


class Feed(Dataset[Batch]):
    """Batch `number`; made anew in each process that reads it."""

    def __init__(self, config: RunConfig, tokenizer: Path, device: torch.device) -> None:
        self._config, self._device = config, device
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._dialogues = source(config, Split.TRAIN)

    def __len__(self) -> int:
        return self._config.steps

    def __getitem__(self, number: int) -> Batch:
        return layout(list(self.trees(number)), self._device)

    def trees(self, number: int) -> Iterator[Tree]:
        """Echoes, drills and associations; and, once copying has been learnt, whole dialogues and parts of them."""
        config, dialogues, tokenizer = self._config, self._dialogues, self._tokenizer
        rng = random.Random(f"{config.seed}/step/{number}")
        share = config.copying_drills if number < config.copying_steps else 1
        drawn = _DRAWN * config.echoes
        scenes = (dialogues.scene(drawn * number + at) for at in range(drawn))
        for scene in _quoted(rng, config, scenes, share=share):
            yield echo(rng, scene, _statements(rng, dialogues), tokenizer)
        for _ in range(config.drills * share):
            yield drill(rng, vocabulary=config.shape.vocabulary)
        for principle in rng.choices(dialogues.library.trained, k=config.associations):
            yield association(rng, principle, tokenizer)
        if number >= config.copying_steps:
            yield from self._whole(number)

    def _whole(self, number: int) -> Iterator[Tree]:
        config, tokenizer, most = self._config, self._tokenizer, self._config.tree_tokens
        each = config.trees + config.drafts + config.grafts + config.mends
        whole = iter([self._dialogues.dialogue(each * number + at) for at in range(each)])
        for _ in range(config.trees):
            yield plant(next(whole), tokenizer, limit=most)
        for at in range(config.grave):
            yield plant(self._dialogues.grave.dialogue(config.grave * number + at), tokenizer, limit=most)
        for _ in range(config.drafts):
            yield sprout(next(whole), tokenizer, limit=most)
        for _ in range(config.grafts):
            yield graft(next(whole).answers[-1], tokenizer, limit=most)
        for dialogue in whole:
            yield graft(dialogue.answers[-1], tokenizer, limit=most, stages=("edits",))


def batches(config: RunConfig, tokenizer: Path, device: torch.device, *, start: int) -> Iterator[Batch]:
    """The batches from step `start` on, in their order."""
    yield from DataLoader(
        Feed(config, tokenizer, device),
        sampler=range(start, config.steps),
        batch_size=None,
        num_workers=config.workers,
        prefetch_factor=4 if config.workers else None,
    )


def _quoted(rng: random.Random, config: RunConfig, asked: Iterator[Scene], *, share: int) -> list[Scene]:
    """What echoes repeat: first what is rare and often wrong, a tool's answer and messages that are cut short."""
    scenes = sorted((scene for scene in asked if scene.quote), key=lambda s: not s.found and _is_whole(s))
    found = scenes[: config.echoes * share]
    at = len(found) - config.scrambles * share
    return [*found[:at], *(scrambled(rng, scene) for scene in found[at:])]


def _is_whole(asked: Scene) -> bool:
    """Whether the quote is all of the person's last message."""
    return asked.quote == asked.conversation.turns[-1].content.strip()


def _statements(rng: random.Random, dialogues: Source) -> list[str]:
    return [p.statement for p in rng.sample(dialogues.library.trained, rng.choice((0, 0, 1, 2)))]
