"""A rubric as training carries it: criteria with signed points, in one row schema that TRL and verl both read."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.domain.assessment import Criterion, Polarity

DATA_SOURCE = "clinalign"


class BadRubric(ValueError):
    """The text is not a rubric; the message says what was expected."""


@dataclass(frozen=True, slots=True)
class Item:
    """A thing an answer can do: worth `points` when done, above zero for what is wanted, below for what is not."""

    criterion: str
    points: float

    @classmethod
    def of(cls, criterion: Criterion) -> "Item":
        """From one of the store's: what must not be done counts against the answer when it is."""
        return cls(criterion.text, criterion.weight if criterion.polarity is Polarity.MUST else -criterion.weight)


@dataclass(frozen=True, slots=True)
class Rubric:
    """The items of one query; some points are positive, or there would be nothing to earn."""

    items: tuple[Item, ...]

    def __post_init__(self) -> None:
        if not self.possible > 0:
            raise BadRubric("a rubric needs an item of positive points")

    @property
    def possible(self) -> float:
        """The most that can be earned."""
        return sum(item.points for item in self.items if item.points > 0)

    def score(self, done: Sequence[bool]) -> float:
        """Points of what was done over the most that can be earned, as HealthBench counts: at most 1, and unbounded
        below.
        """  # noqa: D205 - one sentence too long for one line
        return sum(item.points for item, is_done in zip(self.items, done, strict=True) if is_done) / self.possible

    def expected(self, chances: Sequence[float]) -> float:
        """The score to expect where each item is done with its own chance, in [0, 1]."""
        return sum(item.points * chance for item, chance in zip(self.items, chances, strict=True)) / self.possible

    def to_json(self) -> str:
        """As a row's column `rubrics`: a string, so that every framework's data loader leaves it as it is."""
        return json.dumps([{"criterion": i.criterion, "points": i.points} for i in self.items], ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Rubric":
        """Reads what `to_json` wrote.

        Raises:
            BadRubric: it is not a list of objects with `criterion` and `points`.

        """
        try:
            return cls(tuple(Item(str(row["criterion"]), float(row["points"])) for row in json.loads(text)))
        except (KeyError, TypeError, json.JSONDecodeError) as error:
            wanted = 'should be [{"criterion": text, "points": number}, ...]'
            raise BadRubric(f"{wanted} ({type(error).__name__})") from error

    @classmethod
    def of(cls, criteria: Iterable[Criterion]) -> "Rubric":
        """From the store's criteria."""
        return cls(tuple(Item.of(criterion) for criterion in criteria))


def row(prompt: Sequence[Mapping[str, str]], rubric: Rubric, *, extra: Mapping[str, Any]) -> dict[str, Any]:
    """One training example: `prompt` and `rubrics` are for TRL, the rest for verl; `extra` says where it is from."""
    written = rubric.to_json()
    return {
        "prompt": [dict(turn) for turn in prompt],
        "rubrics": written,
        "data_source": DATA_SOURCE,
        "reward_model": {"style": "rule", "ground_truth": written},
        "extra_info": {**extra, "prompt": [dict(turn) for turn in prompt]},
    }
