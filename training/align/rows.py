"""Rows to train on and to hold out: synthesised ones from a file, or tasks of the dialogue generator with rubrics."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from service.domain.conversation import Message, Role
from training.align import tasks
from training.align.config import AlignConfig, Data
from training.align.row import Row
from training.dialogues import library
from training.dialogues.dialogue import Dialogue, Source
from training.dialogues.words import Split
from training.healthbench.records import BadRow, lines
from training.reward.rubric import Rubric
from training.reward.scorer import Judge

_Field = TypeVar("_Field")
# What a synthesis leaves.
ROWS = "rows.jsonl"


@dataclass(frozen=True, slots=True)
class Rows:
    """Disjoint by id."""

    train: tuple[Row, ...]
    held_out: tuple[Row, ...]


def load(config: AlignConfig) -> Rows:
    """The run's rows.

    Raises:
        BadRow: the file cannot be read, or a line is no row of a synthesis.

    """
    data = config.data
    files = [Path(data.rows)] if data.rows else []
    if config.synthesis:
        files.append(config.synthesised / ROWS)
    found = chain(*map(_from_file, files), _generated(config.seed, data))
    listed = list(found)[: data.limit or None]
    return Rows(
        tuple(row for row in listed if not row.is_held_out(data.held_out_one_in)),
        tuple(row for row in listed if row.is_held_out(data.held_out_one_in)),
    )


def _from_file(path: Path) -> Iterator[Row]:
    for where, row in lines(path):
        yield _row(where, row)


def _row(where: str, row: Mapping[str, Any]) -> Row:
    return Row(
        _field(where, "extra_info", lambda: str(row["extra_info"]["id"]), "an object with id"),
        _field(where, "prompt", lambda: _prompt(row["prompt"]), "a list of turns, each of a role and content"),
        _field(where, "rubrics", lambda: Rubric.from_json(row["rubrics"]), "JSON of criteria and their points"),
    )


def _prompt(turns: Any) -> tuple[Message, ...]:
    found = tuple(Message(Role(turn["role"]), turn["content"]) for turn in turns)
    if not found or not all(isinstance(turn.content, str) for turn in found):
        raise TypeError("a prompt is of text")
    return found


def _field(where: str, name: str, read: Callable[[], _Field], wanted: str) -> _Field:
    """A row's field; what is wrong with it is told without its words."""
    try:
        return read()
    except (KeyError, TypeError, ValueError) as error:
        raise BadRow(
            f"{where}: {name} should be {wanted}; rows are made by `clinalign train synthesize QUERIES --out FOLDER`"
        ) from error


def _generated(seed: int, data: Data) -> Iterator[Row]:
    everything = library.load()
    source = Source(everything, library.queries(), seed, Split.TRAIN, everything.trained)
    # Dealt out among the others: an order of tasks takes its rows from the front.
    every = max(1, data.dialogues // data.grave) if data.grave else 0
    for number in range(data.dialogues):
        yield from _asked(source.dialogue(number), f"{seed}/{number}", data)
        if every and number % every == 0 and number // every < data.grave:
            yield from _asked(source.grave.dialogue(number // every), f"{seed}/grave/{number // every}", data)


def _asked(dialogue: Dialogue, name: str, data: Data) -> Iterator[Row]:
    for row in tasks.of(dialogue, name, sharp=data.sharp):
        if row.kind in data.tasks and _letters(row) <= data.longest:
            yield row


def _letters(row: Row) -> int:
    return sum(len(turn.content) for turn in row.prompt)


def woven(rows: Sequence[Row], *, block: int, pattern: Sequence[str]) -> list[Row]:
    """The rows in blocks of one kind, the kinds in the order of the pattern, for as long as all of them last.

    A batch of one kind has no short prompt padded to a long one, and no word of reply that waits for an essay.
    """
    left = {kind: [row for row in rows if row.kind == kind] for kind in pattern}
    found: list[Row] = []
    while True:
        for kind in pattern:
            if len(left[kind]) < block:
                return found
            found += left[kind][:block]
            del left[kind][:block]


class FirstOf:
    """A judge that asks the second where the first says neither."""

    def __init__(self, first: Judge, second: Judge) -> None:
        self._first, self._second = first, second
        self.name = f"{first.name}+{second.name}"

    async def does(self, prompt: Sequence[Message], answer: str, criterion: str) -> bool | None:
        """As either of them does."""
        said = await self._first.does(prompt, answer, criterion)
        return said if said is not None else await self._second.does(prompt, answer, criterion)


class WordingsJudge:
    """A judge without a model: an answer does a thing when one of the known sentences for it stands in the answer.

    Exact on text of the generator's kind, and blind to any other wording: a lower bound that cannot be talked round.
    """

    name = "wordings"

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = {_key(row.prompt): row for row in rows}

    async def does(self, prompt: Sequence[Message], answer: str, criterion: str) -> bool | None:
        """None for a prompt or criterion that is not known."""
        row = self._rows.get(_key(tuple(prompt)))
        return None if row is None else row.does(answer, criterion)


@lru_cache(maxsize=1024)
def _key(prompt: tuple[Message, ...]) -> str:
    return json.dumps([[turn.role.value, turn.content] for turn in prompt])


def as_columns(rows: Sequence[Row]) -> dict[str, list[Any]]:
    """For a data set of GRPO: prompts, and the column that the reward reads."""
    return {
        "prompt": [row.turns for row in rows],
        "rubrics": [row.rubric.to_json() for row in rows],
        "id": [row.id for row in rows],
    }
