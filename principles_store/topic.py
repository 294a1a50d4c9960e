"""Texts of our own in; whether a question is about health or about something else, out.

Kernel ridge regression on the encoder's vectors, as the screen's head: a question is scored by the labels of all
examples, the near ones counting most. A labelled query counts as an example too.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple, Self

import numpy as np
import yaml
from numpy.typing import NDArray
from yaml import CSafeLoader

from principles_store.errors import IndexUnusable, InvalidPrinciples
from principles_store.paths import SHIPPED_TOPICS
from principles_store.schema import OUTSIDE_HEALTH, LabelledQuery, Record

# By cross-validation over families and the tuning halves of real questions (`clinalign evaluate scenario`); flat.
SHARPNESS: Final = 2.0
RIDGE: Final = 0.1


class Subject(StrEnum):
    """What a text is about: health, something else, or nothing that it tells by itself."""

    HEALTH = "health"
    ELSEWHERE = "elsewhere"
    LITTLE = "little"


class Example(Record):
    """One text. `family` names what it is about: the texts of a family are learned or held out together."""

    text: str
    subject: Subject
    family: str

    @property
    def elsewhere(self) -> bool:
        """Whether it is about something else than health."""
        return self.subject is Subject.ELSEWHERE


class Reading(NamedTuple):
    """How a text is read, about 1 for health and about -1 for something else.

    What says little counts as `health` in a question, and is worth 0 in a `passage` of one.
    """

    health: float
    passage: float


# What a question, and what a passage of one, is to be read as.
_TARGETS: Final = {Subject.HEALTH: (1.0, 1.0), Subject.ELSEWHERE: (-1.0, -1.0), Subject.LITTLE: (1.0, 0.0)}


def load_topics(folder: Path = SHIPPED_TOPICS) -> tuple[Example, ...]:
    """Every example of the folder, in the order of its files.

    Raises:
        InvalidPrinciples: a file is not mappings of families to lines, or a text stands twice.

    """
    found = [example for path in sorted(folder.glob("*.yaml")) for example in _read(path)]
    twice = [text for text, count in Counter(example.text.casefold() for example in found).items() if count > 1]
    if twice or not found:
        raise InvalidPrinciples([f"{folder}: {f'stands twice: {twice[0]!r}' if twice else 'no examples'}"])
    return tuple(found)


def of_queries(queries: Sequence[LabelledQuery]) -> tuple[Example, ...]:
    """The labelled queries as examples, each of the family of its principle."""
    return tuple(
        Example(
            text=query.text,
            subject=Subject.ELSEWHERE if query.principle == OUTSIDE_HEALTH else Subject.HEALTH,
            family=query.principle,
        )
        for query in queries
    )


@dataclass(frozen=True, eq=False, slots=True)
class TopicHead:
    """Unit vectors [examples, width] and two weights for each, [examples, 2]. Read-only, so threads may share it."""

    vectors: NDArray[np.float32]
    weights: NDArray[np.float32]

    @classmethod
    def fit(cls, vectors: NDArray[np.float32], subjects: Sequence[Subject]) -> Self:
        """Fit on unit vectors [examples, width], and what each is about."""
        near = _kernel(vectors, vectors).astype(np.float64)
        targets = np.array([_TARGETS[subject] for subject in subjects])
        weights = np.linalg.solve(near + RIDGE * np.eye(len(vectors)), targets)
        return cls(vectors, weights.astype(np.float32))

    def read(self, vector: NDArray[np.float32]) -> Reading:
        """What a text is about, from its unit vector [width]."""
        health, passage = _kernel(vector[None, :], self.vectors)[0] @ self.weights
        return Reading(float(health), float(passage))

    def save(self, path: Path) -> None:
        """Write the head to one .npz."""
        np.savez(path, vectors=self.vectors, weights=self.weights)

    @classmethod
    def load(cls, path: Path, *, width: int) -> Self:
        """Read the head.

        Raises:
            IndexUnusable: the file is not ours, or was fitted on vectors of another width.

        """
        try:
            with np.load(path, allow_pickle=False) as file:
                head = cls(file["vectors"], file["weights"])
        except (OSError, KeyError, ValueError) as error:
            raise IndexUnusable(f"{path}: not readable: run `clinalign principles build`") from error
        if (head.vectors.shape, head.weights.shape[1:]) != ((len(head.weights), width), (2,)):
            raise IndexUnusable(f"{path}: fitted on something else: run `clinalign principles build`")
        return head


def _kernel(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    near: NDArray[np.float32] = np.exp(SHARPNESS * (left @ right.T - 1.0)).astype(np.float32)
    return near


def _read(path: Path) -> list[Example]:
    content = yaml.load(path.read_text(encoding="utf-8"), Loader=CSafeLoader)
    if not isinstance(content, dict) or not set(content) <= set(Subject):
        raise InvalidPrinciples([f"{path}: expected {', '.join(Subject)}"])
    return [
        Example(text=text, subject=Subject(subject), family=family)
        for subject, families in content.items()
        for family, lines in families.items()
        for text in (line.strip() for line in str(lines).splitlines())
        if text
    ]
