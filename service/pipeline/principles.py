"""The principles' store as the pipeline and the gateway see it: its records become ours."""

import asyncio
from collections.abc import Mapping, Sequence

from principles_store.errors import StoreError as StoreFailure
from principles_store.schema import OUTSIDE_HEALTH, Dimension
from principles_store.schema import Principle as Stored
from principles_store.store import Consultation, Match, PrinciplesStore
from service.domain.assessment import (
    Criterion,
    Expertise,
    Polarity,
    Retrieved,
    Scenario,
    TaskType,
    Uncertainty,
    Urgency,
)
from service.domain.errors import StoreError
from service.pipeline.ports import Hits


class StoredPrinciples:
    """Implements `Principles` over a store; encoding is CPU work of milliseconds and leaves the event loop."""

    def __init__(self, store: PrinciplesStore) -> None:
        self._store = store

    async def consult(self, query: str, *, families: Sequence[str], limit: int) -> Hits:
        """As `Principles.consult`."""
        found = await self._consult(query, limit=limit, families=families)
        outside = self._store.get(OUTSIDE_HEALTH)  # a hospital's own store may lack it
        return Hits(
            scenario=Scenario(
                urgency=Urgency(found.scenario.label(Dimension.URGENCY)),
                uncertainty=Uncertainty(found.scenario.label(Dimension.UNCERTAINTY)),
                expertise=Expertise(found.scenario.label(Dimension.EXPERTISE)),
                task_type=TaskType(found.scenario.label(Dimension.TASK_TYPE)),
            ),
            nearest=tuple(_retrieved(match) for match in found.nearest),
            always_on=tuple(_retrieved(match) for match in found.always_on),
            flagged=tuple(_retrieved(match) for match in found.flagged),
            outside=(_retrieved(Match(outside, 1.0)),) if outside else (),
            health=found.topic.health,
            passage=found.topic.passage,
            digest=found.digest,
        )

    def all(self) -> Sequence[Mapping[str, object]]:
        """Every principle, as JSON."""
        return [_shown(principle) for principle in self._store.principles]

    def criteria(self) -> Mapping[str, Criterion]:
        """Every criterion by its id."""
        return {c.id: c for principle in self._store.principles for c in _retrieved(Match(principle, 1.0)).criteria}

    def one(self, principle_id: str) -> Mapping[str, object] | None:
        """One by id, or None."""
        found = self._store.get(principle_id)
        return _shown(found) if found else None

    async def search(self, query: str, *, limit: int) -> Sequence[Mapping[str, object]]:
        """The nearest, each with `similarity`."""
        found = await self._consult(query, limit=limit, families=())
        return [{**_shown(match.principle), "similarity": round(match.similarity, 4)} for match in found.nearest]

    async def _consult(self, query: str, *, limit: int, families: Sequence[str]) -> Consultation:
        try:
            return await asyncio.to_thread(self._store.consult, query, limit=limit, families=families)
        except StoreFailure as error:
            raise StoreError(str(error)) from error


def _retrieved(match: Match) -> Retrieved:
    principle = match.principle
    return Retrieved(
        id=principle.id,
        title=principle.title,
        statement=principle.statement,
        dimension=principle.dimension,
        level=principle.level,
        version=principle.version,
        similarity=match.similarity,
        criteria=tuple(
            Criterion(f"{principle.id}#{c.id}", principle.id, c.text, c.weight, Polarity(c.polarity))
            for c in principle.criteria
        ),
        always_on=principle.always_on,
        relevance=match.relevance,
    )


def _shown(principle: Stored) -> Mapping[str, object]:
    return {**principle.model_dump(mode="json"), "dimension": principle.dimension.value, "level": principle.level}
