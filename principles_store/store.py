"""A question in; its scenario and the principles that matter for it out. One encoding answers both."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from principles_store.building import Built, open_built
from principles_store.encoder import Encoder, Precision
from principles_store.loading import digest, load_principles
from principles_store.retrieval import Ranking, diversify, is_out_of_place, relevance
from principles_store.scenario import Near, Scenario
from principles_store.schema import Principle
from principles_store.topic import Reading
from principles_store.words import WordIndex

# How many of the nearest are weighed against each other; all of them, for a store of the shipped size.
CANDIDATES: Final = 200


class Match(NamedTuple):
    """A principle, its cosine to the query (1.0 where it always applies), and its score in the order of relevance."""

    principle: Principle
    similarity: float
    relevance: float = 1.0


@dataclass(frozen=True, slots=True)
class Consultation:
    """What the store says of one query.

    `nearest` is in order of relevance, and holds none of `always_on` and `flagged`, so nothing comes twice.
    `topic` tells whether it is about health. `digest` names the principles that were asked.
    """

    scenario: Scenario
    nearest: tuple[Match, ...]
    always_on: tuple[Match, ...]
    flagged: tuple[Match, ...]
    topic: Reading
    digest: str


class Snapshot:
    """The principles at one moment, with all that finds them. Never changes, so threads may share it."""

    def __init__(self, principles: Sequence[Principle], built: Built, *, ranking: Ranking | None = None) -> None:
        self.principles = tuple(sorted(principles, key=lambda principle: principle.id))
        self.digest = digest(self.principles)
        self.built = built
        self.ranking = ranking or Ranking()
        self._by_id = {principle.id: principle for principle in self.principles}
        self._words = WordIndex.build([_searchable(principle) for principle in self.principles])
        owners, questions = built.owners, built.queries.vectors(range(len(built.queries)))
        self._owned = owners >= 0
        self._questions = questions[self._owned]

    def get(self, principle_id: str) -> Principle | None:
        """The principle of that id, if there is one."""
        return self._by_id.get(principle_id)

    def consult(self, query: str, vector: NDArray[np.float32], *, limit: int, families: Sequence[str]) -> Consultation:
        """Answer for a query and its unit vector [dimension]; families unknown to the store bring in nothing."""
        positions, cosines = self.built.index.search(vector, limit=CANDIDATES)
        scores, scenario = self._scored(query, vector, positions, cosines)
        wanted = frozenset(families)
        kept = [
            place
            for place, position in enumerate(positions)
            if self._may_come(self.principles[position], scenario, wanted)
        ]
        found = self._matched(positions[kept], cosines[kept], scores[kept], scenario)
        return Consultation(
            scenario=scenario,
            nearest=tuple(self._ordered(found, positions[kept], limit)),
            always_on=tuple(Match(principle, 1.0) for principle in self.principles if principle.always_on),
            flagged=self._flagged(vector, wanted),
            topic=self.built.topic.read(vector),
            digest=self.digest,
        )

    def ranked(self, query: str, vector: NDArray[np.float32], *, limit: int) -> list[Match]:
        """Any of the principles in order of relevance, those that always apply among them: for measuring the order."""
        positions, cosines = self.built.index.search(vector, limit=CANDIDATES)
        scores, scenario = self._scored(query, vector, positions, cosines)
        return self._ordered(self._matched(positions, cosines, scores, scenario), positions, limit)

    def shared_words(self, query: str) -> NDArray[np.float32]:
        """BM25 of every principle, in order of id."""
        return self._words.scores(query)

    def with_ranking(self, ranking: Ranking) -> "Snapshot":
        """The same principles in another order."""
        return Snapshot(self.principles, self.built, ranking=ranking)

    def _scored(
        self, query: str, vector: NDArray[np.float32], positions: NDArray[np.int64], cosines: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], Scenario]:
        """Scores of the candidates before the scenario raises any, and the scenario."""
        words = np.float32(self.ranking.words) * self._words.scores(query)[positions]
        scenario = self.built.heads.read(query, vector, Near(positions, (cosines + words).astype(np.float32)))
        asked = np.maximum(self._asked(vector)[positions], cosines)
        return (cosines + words + np.float32(self.ranking.asked) * asked).astype(np.float32), scenario

    def _matched(
        self,
        positions: NDArray[np.int64],
        cosines: NDArray[np.float32],
        scores: NDArray[np.float32],
        scenario: Scenario,
    ) -> list[Match]:
        near = [self.principles[position] for position in positions]
        raised = relevance(scores, near, scenario, self.ranking)
        return [Match(p, float(c), float(r)) for p, c, r in zip(near, cosines, raised, strict=True)]

    def _ordered(self, found: Sequence[Match], positions: NDArray[np.int64], limit: int) -> list[Match]:
        scores = np.array([match.relevance for match in found], dtype=np.float32)
        vectors = self.built.index.vectors(positions)
        return [found[k] for k in diversify(scores, vectors, limit=limit, diversity=self.ranking.diversity)]

    def _asked(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """For each principle the highest cosine to one of its labelled questions, -1 where it has none."""
        best = np.full(len(self.principles), -1.0, dtype=np.float32)
        np.maximum.at(best, self.built.owners[self._owned], self._questions @ vector)
        return best

    def _may_come(self, principle: Principle, scenario: Scenario, families: frozenset[str]) -> bool:
        elsewhere = principle.always_on or families.intersection(principle.red_flag_families)
        return not elsewhere and not is_out_of_place(principle, scenario, flagged=bool(families), ranking=self.ranking)

    def _flagged(self, vector: NDArray[np.float32], families: frozenset[str]) -> tuple[Match, ...]:
        positions = [
            position
            for position, principle in enumerate(self.principles)
            if not principle.always_on and families.intersection(principle.red_flag_families)
        ]
        cosines = self.built.index.vectors(positions) @ vector
        matches = [Match(self.principles[p], float(c)) for p, c in zip(positions, cosines, strict=True)]
        return tuple(sorted(matches, key=lambda match: -match.similarity))


class PrinciplesStore:
    """The principles in use. `reload` swaps them whole; a consultation under way keeps those it began with."""

    def __init__(self, snapshot: Snapshot, encoder: Encoder, *, principles_dir: Path, index_dir: Path) -> None:
        self._snapshot = snapshot
        self._encoder = encoder
        self._principles_dir = principles_dir
        self._index_dir = index_dir
        self._reloading = threading.Lock()

    @classmethod
    def open(
        cls,
        principles_dir: Path,
        encoder_dir: Path,
        index_dir: Path,
        *,
        precision: Precision = Precision.FP32,
        threads: int = 1,
    ) -> Self:
        """Load everything, and refuse what does not belong together.

        Raises:
            InvalidPrinciples: a file of the principles does not fit the schema.
            EncoderUnusable: the encoder's folder is missing or damaged.
            IndexUnusable: the index is missing, damaged, or was built from other principles or another encoder.

        """
        encoder = Encoder.load(encoder_dir, precision=precision, threads=threads)
        snapshot = open_snapshot(principles_dir, index_dir, encoder)
        return cls(snapshot, encoder, principles_dir=principles_dir, index_dir=index_dir)

    @property
    def principles(self) -> tuple[Principle, ...]:
        """All principles in use, in order of id."""
        return self._snapshot.principles

    @property
    def digest(self) -> str:
        """Names the principles in use."""
        return self._snapshot.digest

    @property
    def encoder(self) -> Encoder:
        """What queries and principles are encoded with."""
        return self._encoder

    def get(self, principle_id: str) -> Principle | None:
        """The principle of that id, if there is one."""
        return self._snapshot.get(principle_id)

    def consult(self, query: str, *, limit: int, families: Sequence[str] = ()) -> Consultation:
        """The scenario of a query, the `limit` nearest principles, those that always apply, and those of the red-flag
        families. CPU work of some milliseconds; safe to call from many threads.
        """  # noqa: D205 - one sentence too long for one line
        snapshot = self._snapshot
        return snapshot.consult(query, self._encoder.recall(query), limit=limit, families=families)

    def reload(self) -> str:
        """Read principles and index again, swap them in, and give the new digest; on an error the old ones stay.

        Raises:
            StoreError: as `open`; nothing was changed.

        """
        with self._reloading:
            self._snapshot = open_snapshot(self._principles_dir, self._index_dir, self._encoder)
            return self._snapshot.digest


def open_snapshot(principles_dir: Path, index_dir: Path, encoder: Encoder) -> Snapshot:
    """Principles and the index over them, read together; raises as `PrinciplesStore.open`."""
    principles = load_principles(principles_dir)
    return Snapshot(principles, open_built(index_dir, principles=principles, encoder=encoder))


def _searchable(principle: Principle) -> str:
    return f"{principle.title} {principle.statement} {principle.applies_when}"
