"""Rows to train on and to hold out: synthesised ones from a file, or prompts of the dialogue generator with rubrics."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from service.domain.conversation import Message, Role
from training.align.config import AlignConfig
from training.dialogues import library
from training.dialogues.dialogue import Dialogue, Source
from training.dialogues.words import Split
from training.healthbench.records import lines
from training.reward.rubric import Rubric


@dataclass(frozen=True, slots=True)
class Row:
    """A prompt and its rubric. `wordings` are, by criterion, sentences known to do it: for generated prompts only."""

    id: str
    prompt: tuple[Message, ...]
    rubric: Rubric
    wordings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def turns(self) -> list[dict[str, str]]:
        """The prompt as TRL takes it."""
        return [{"role": turn.role.value, "content": turn.content} for turn in self.prompt]

    def is_held_out(self, one_in: int) -> bool:
        """Whether it is for evaluation: by its id alone, so that no file or order can change it."""
        return int(hashlib.sha256(self.id.encode()).hexdigest(), 16) % one_in == 0


@dataclass(frozen=True, slots=True)
class Rows:
    """Disjoint by id."""

    train: tuple[Row, ...]
    held_out: tuple[Row, ...]


def load(config: AlignConfig) -> Rows:
    """The run's rows.

    Raises:
        BadRow: the file cannot be read.
        BadRubric: a row's rubric cannot be read.

    """
    data = config.data
    found = _from_file(Path(data.rows)) if data.rows else _generated(config.seed, data.dialogues)
    listed = list(found)[: data.limit or None]
    return Rows(
        tuple(row for row in listed if not row.is_held_out(data.held_out_one_in)),
        tuple(row for row in listed if row.is_held_out(data.held_out_one_in)),
    )


def _from_file(path: Path) -> Iterator[Row]:
    for _, row in lines(path):
        prompt = tuple(Message(Role(turn["role"]), turn["content"]) for turn in row["prompt"])
        yield Row(str(row["extra_info"]["id"]), prompt, Rubric.from_json(row["rubrics"]))


def _generated(seed: int, count: int) -> Iterator[Row]:
    everything = library.load()
    source = Source(everything, library.queries(), seed, Split.TRAIN, everything.trained)
    for number in range(count):
        dialogue = source.dialogue(number)
        if not dialogue.setting.scene.fixed:
            yield from _row(dialogue, f"{seed}/{number}")


def _row(dialogue: Dialogue, name: str) -> Iterator[Row]:
    """Every criterion of the principles in the prompt; the texts are the store's, so words and rubric cannot differ."""
    exemplars = {e.criterion.text: e for principle in dialogue.setting.guide for e in principle.exemplars}
    criteria = [exemplar.criterion for exemplar in exemplars.values()]
    if any(exemplar.wanted for exemplar in exemplars.values()):
        wordings = {text: exemplar.does for text, exemplar in exemplars.items()}
        yield Row(name, tuple(dialogue.setting.prompt), Rubric.of(criteria), wordings)


class WordingsJudge:
    """A judge without a model: an answer does a thing when one of the known sentences for it stands in the answer.

    Exact on text of the generator's kind, and blind to any other wording: a lower bound that cannot be talked round.
    """

    name = "wordings"

    def __init__(self, rows: Sequence[Row]) -> None:
        self._known = {_key(row.prompt): row.wordings for row in rows}

    async def does(self, prompt: Sequence[Message], answer: str, criterion: str) -> bool | None:
        """None for a prompt or criterion that is not known."""
        wordings = self._known.get(_key(prompt), {}).get(criterion)
        return None if wordings is None else any(text in answer for text in wordings)


def _key(prompt: Sequence[Message]) -> str:
    return json.dumps([[turn.role.value, turn.content] for turn in prompt])


def as_columns(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """For a data set of GRPO: prompts, and the column that the reward reads."""
    return {
        "prompt": [row.turns for row in rows],
        "rubrics": [row.rubric.to_json() for row in rows],
        "id": [row.id for row in rows],
    }
