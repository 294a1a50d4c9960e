"""Principles, labelled queries and encoders in; one report of how well the store finds and reads, out.

Choices (weights, thresholds) are made on one half of the labelled queries; retrieval is reported on the other, with
heads fitted on the first. Scenarios are cross-validated by family.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from principles_store.building import Progress, assemble, encode, principle_vectors
from principles_store.encoder import Encoder
from principles_store.kinship import folds
from principles_store.measures import (
    Agreement,
    Found,
    Latency,
    Reading,
    agreement,
    found,
    halves,
    latency,
    reading,
)
from principles_store.retrieval import Ranking
from principles_store.scenario import codes
from principles_store.schema import LEVELS, Dimension, LabelledQuery, Principle
from principles_store.store import Snapshot

DEPTH: Final = 10


@dataclass(frozen=True, slots=True)
class Report:
    """All that `clinalign principles evaluate` says. `agreement` is None where only one encoder was given."""

    found: Found
    readings: Mapping[Dimension, Reading]
    latency: Latency
    agreement: Agreement | None
    principles: int
    queries: int


class Trial:
    """One encoder's vectors of everything, and a store made of them."""

    def __init__(
        self,
        principles: Sequence[Principle],
        queries: Sequence[LabelledQuery],
        encoder: Encoder,
        *,
        ranking: Ranking | None = None,
        progress: Progress = lambda _: None,
    ) -> None:
        self.queries = tuple(queries)
        self.encoder = encoder
        self.vectors = encode([query.text for query in queries], encoder, progress)
        self.principle_vectors = principle_vectors(principles, encoder, progress)
        chosen, self.reported = halves(queries)
        self.principles = tuple(principles)
        self.ranking = ranking
        self.store = self.fitted_on(chosen)

    def fitted_on(self, positions: Sequence[int]) -> Snapshot:
        """The store with heads that saw only these of the labelled queries."""
        queries = [self.queries[position] for position in positions]
        vectors = self.vectors[list(positions)]
        built = assemble(self.principles, self.principle_vectors, queries, vectors)
        return Snapshot(self.principles, built, ranking=self.ranking)

    def bring_in(self, position: int) -> list[str]:
        """Ids that one labelled query brings in, nearest first; no red flags, and none of those that always apply."""
        query = self.queries[position]
        told = self.store.consult(query.text, self.vectors[position], limit=DEPTH, families=())
        return [match.principle.id for match in told.nearest]

    def guesses(self) -> dict[Dimension, NDArray[np.int64]]:
        """Cross-validated labels of every query, as positions among the levels."""
        told = {dimension: np.zeros(len(self.queries), dtype=np.int64) for dimension in Dimension}
        parts = folds(self.queries)
        for part in np.unique(parts):
            store = self.fitted_on(np.flatnonzero(parts != part).tolist())
            for position in np.flatnonzero(parts == part):
                query = self.queries[position].text
                scenario = store.consult(query, self.vectors[position], limit=1, families=()).scenario
                for dimension, label in scenario.labels.items():
                    told[dimension][position] = LEVELS[dimension].index(label)
        return told

    def ranks(self, positions: Sequence[int]) -> list[int | None]:
        """The rank from 1 of each query's own principle, where the store has it and it does not always apply."""
        sought = {principle.id for principle in self.principles if not principle.always_on}
        asked = [position for position in positions if self.queries[position].principle in sought]
        return [rank_of(self.queries[position].principle, self.bring_in(position)) for position in asked]

    def consult(self, text: str) -> object:
        """What one request costs: encoding and all."""
        return self.store.consult(text, self.encoder.encode_one(text), limit=DEPTH, families=())


def evaluate(
    principles: Sequence[Principle],
    queries: Sequence[LabelledQuery],
    *,
    encoder: Encoder,
    other: Encoder | None = None,
    progress: Progress = lambda _: None,
) -> Report:
    """Measure everything with `encoder`; `other` is compared with it by what both bring in."""
    trial = Trial(principles, queries, encoder, progress=progress)
    guesses = trial.guesses()
    return Report(
        found=found(trial.ranks(trial.reported)),
        readings={d: reading(codes(queries, d), guesses[d], LEVELS[d]) for d in Dimension},
        latency=latency(trial.consult, [query.text for query in queries]),
        agreement=_compare(trial, other, progress) if other else None,
        principles=len(principles),
        queries=len(queries),
    )


def rank_of(wanted: str, ids: Sequence[str]) -> int | None:
    """The place from 1, or None."""
    return ids.index(wanted) + 1 if wanted in ids else None


def _compare(trial: Trial, other: Encoder, progress: Progress) -> Agreement:
    second = Trial(trial.principles, trial.queries, other, progress=progress)
    everything = range(len(trial.queries))
    return agreement([trial.bring_in(p) for p in everything], [second.bring_in(p) for p in everything])
