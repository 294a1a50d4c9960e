"""Principles in; every fault that the schema cannot see, and their coverage by dimension and level, out."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np

from principles_store.encoder import Encoder
from principles_store.schema import LEVELS, Dimension, LabelledQuery, Principle

SHIPPED_COUNT: Final = 119
NEAR_DUPLICATE: Final = 0.92
STATEMENT_WORDS: Final = 26
STATEMENT_CHARACTERS: Final = 190
CRITERION_WORDS: Final = 16
MIN_CRITERIA: Final = 2
# Words that leave the judgement to whoever reads the criterion.
VAGUE: Final = ("appropriate", "appropriately", "adequate", "adequately", "suitable", "properly")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something to mend: the id of the principle (or criterion) it stands in, and what is wrong."""

    where: str
    message: str


@dataclass(frozen=True, slots=True)
class Validation:
    """The faults, how many principles there are, and how many at each (dimension, level).

    `compared` tells whether near-duplicates were looked for, which takes an encoder.
    """

    faults: tuple[Fault, ...]
    count: int
    criteria: int
    coverage: Mapping[tuple[Dimension, str], int]
    compared: bool

    @property
    def passed(self) -> bool:
        """Whether nothing is to be mended."""
        return not self.faults


def validate(
    principles: Sequence[Principle],
    *,
    queries: Sequence[LabelledQuery] = (),
    expected: int | None = SHIPPED_COUNT,
    encoder: Encoder | None = None,
) -> Validation:
    """Check wording, number, coverage and queries; with an encoder, also near-duplicates."""
    faults = [
        *_count(principles, expected),
        *(fault for principle in principles for fault in _wording(principle)),
        *_strangers(principles, queries),
        *(near_duplicates(principles, encoder) if encoder else ()),
    ]
    coverage = Counter((principle.dimension, principle.level) for principle in principles)
    return Validation(
        faults=tuple(faults),
        count=len(principles),
        criteria=sum(len(principle.criteria) for principle in principles),
        coverage={(d, level): coverage[d, level] for d in Dimension for level in LEVELS[d]},
        compared=encoder is not None,
    )


def near_duplicates(
    principles: Sequence[Principle], encoder: Encoder, *, threshold: float = NEAR_DUPLICATE
) -> Iterator[Fault]:
    """Pairs of statements, and pairs of criteria within a principle, whose cosine reaches the threshold."""
    yield from _near([(p.id, p.statement) for p in principles], encoder, threshold)
    for principle in principles:
        # A must and a must_not on the same act are a contradiction, not a repetition: the words alone are compared.
        yield from _near([(f"{principle.id}#{c.id}", c.text) for c in principle.criteria], encoder, threshold)


def _near(named: Sequence[tuple[str, str]], encoder: Encoder, threshold: float) -> Iterator[Fault]:
    vectors = encoder.encode([text for _, text in named])
    cosines = vectors @ vectors.T
    for one, other in np.argwhere(np.triu(cosines, k=1) >= threshold):
        yield Fault(named[one][0], f"says nearly the same as {named[other][0]} (cosine {cosines[one, other]:.3f})")


def _count(principles: Sequence[Principle], expected: int | None) -> Iterator[Fault]:
    if expected is not None and len(principles) != expected:
        yield Fault("the store", f"holds {len(principles)} principles, expected {expected}")


def _wording(principle: Principle) -> Iterator[Fault]:
    if len(principle.statement.split()) > STATEMENT_WORDS:
        yield Fault(principle.id, f"statement has {len(principle.statement.split())} words, at most {STATEMENT_WORDS}")
    if len(principle.statement) > STATEMENT_CHARACTERS:
        yield Fault(
            principle.id, f"statement has {len(principle.statement)} characters, at most {STATEMENT_CHARACTERS}"
        )
    if len(principle.criteria) < MIN_CRITERIA:
        yield Fault(principle.id, f"has {len(principle.criteria)} criteria, at least {MIN_CRITERIA}")
    for criterion in principle.criteria:
        where, said = f"{principle.id}#{criterion.id}", criterion.text.split()
        if len(said) > CRITERION_WORDS:
            yield Fault(where, f"has {len(said)} words, at most {CRITERION_WORDS}")
        if vague := sorted({word.strip(".,;").lower() for word in said} & set(VAGUE)):
            yield Fault(where, f"leaves the judgement to its reader: {', '.join(vague)}")
    for one, other in combinations(principle.criteria, 2):
        if one.text.casefold() == other.text.casefold():
            yield Fault(f"{principle.id}#{one.id}", f"has the same text as #{other.id}")


def _strangers(principles: Sequence[Principle], queries: Sequence[LabelledQuery]) -> Iterator[Fault]:
    known = {principle.id for principle in principles}
    for name in sorted({query.principle for query in queries} - known):
        yield Fault(name, "labelled queries name it, but there is no such principle")
    texts = Counter(query.text.casefold() for query in queries)
    for text, times in texts.items():
        if times > 1:
            yield Fault(text, f"stands {times} times among the labelled queries")
