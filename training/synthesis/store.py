"""The principles' store as synthesis reads it: a query in; its scenario, its principles and the digests out."""

import hashlib
import json
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from principles_store.paths import Places
from principles_store.schema import Dimension
from principles_store.store import Match, PrinciplesStore
from service.domain.assessment import Expertise, Scenario, TaskType, Uncertainty, Urgency
from training.synthesis import prompt
from training.synthesis.prompt import Guide
from training.synthesis.queries import Query
from training.synthesis.steps import Asked


class StoredPrinciples:
    """`limit` nearest principles a query, and those that always apply."""

    def __init__(self, store: PrinciplesStore, *, limit: int = 6) -> None:
        self._store, self._limit = store, limit

    @classmethod
    def open(cls, places: Places, *, limit: int = 6) -> "StoredPrinciples":
        """As the environment names it.

        Raises:
            StoreError: the principles, the encoder or the index cannot be used.

        """
        return cls(
            PrinciplesStore.open(places.principles, places.encoder, places.index, precision=places.precision),
            limit=limit,
        )

    @property
    def facts(self) -> Mapping[str, str]:
        """Digests of the principles and of the request's words."""
        words = json.dumps([prompt._SYSTEM, prompt._ASK, prompt.SCHEMA])  # noqa: SLF001 - the words are what is named
        return {
            "principles_digest": self._store.digest,
            "prompt_digest": hashlib.sha256(words.encode()).hexdigest()[:16],
        }

    def asked(self, query: Query) -> Asked:
        """One encoding, one search."""
        told = self._store.consult(query.text, limit=self._limit)
        read = told.scenario.labels
        scenario = Scenario(
            Urgency(read[Dimension.URGENCY]),
            Uncertainty(read[Dimension.UNCERTAINTY]),
            Expertise(read[Dimension.EXPERTISE]),
            TaskType(read[Dimension.TASK_TYPE]),
        )
        return Asked(query, scenario, tuple(_guide(match) for match in (*told.nearest, *told.always_on)))

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """[texts, dimension]: unit vectors."""
        return np.stack([self._store.encoder.encode_one(text) for text in texts])


def _guide(match: Match) -> Guide:
    principle = match.principle
    criteria = tuple(f"[{c.polarity.value}, weight {c.weight}] {c.text}" for c in principle.criteria)
    return Guide(principle.id, principle.version, principle.statement, criteria)
