"""Retrieve: the principles that matter for an enquiry, from what the store found near."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.domain.assessment import Expertise, Retrieved, Scenario, Urgency
from service.domain.errors import StoreError
from service.pipeline.ports import Hits


@dataclass(frozen=True, slots=True)
class Nearness:
    """Cosines below which a principle is too far to apply, and a question too far from health.

    `relative` is a share of the nearest principle's cosine: where one fits well, half-fitting ones are noise, and the
    demands of a principle that does not apply do harm. An emergency's demands are the heaviest, and red flags bring
    them in without regard to nearness, so nearness alone must be `emergent`. Set on the store's labelled queries, for
    all-MiniLM-L6-v2: docs/decisions/applies-before-the-draft.md.
    """

    principle: float = 0.25
    relative: float = 0.7
    emergent: float = 0.4
    health: float = 0.30


def is_outside_health(hits: Hits, *, nearness: Nearness, flagged: bool) -> bool:
    """Whether nothing that the store knows is near, or only what it says of such questions.

    Never of a conversation that is `flagged` with a sign of danger, whether or not the store has a principle for it.
    """
    nearest = hits.nearest[0].id if hits.nearest else ""
    about_something_else = nearest in {principle.id for principle in hits.outside}
    return (about_something_else or hits.health < nearness.health) and not flagged


def select(
    hits: Hits, *, scenario: Scenario, limit: int, nearness: Nearness, reads_language: bool, flagged: bool
) -> tuple[Retrieved, ...]:
    """Those of red flags first, then those that always apply, then the nearest, up to `limit` in all.

    The limit drops only what is taken for being near. An encoder that does not read the language makes nearness
    meaningless, so nothing is taken by it then.

    Raises:
        StoreError: nothing was retrieved; an empty rubric proves nothing and never passes.

    """
    if reads_language and is_outside_health(hits, nearness=nearness, flagged=flagged):
        kept: Sequence[Retrieved] = hits.outside or hits.always_on
        near: Sequence[Retrieved] = ()
    else:
        found = (*hits.nearest, *hits.flagged)
        floor = max([nearness.principle, *(nearness.relative * p.similarity for p in found)])
        kept = (*hits.flagged, *hits.always_on)
        near = [
            p
            for p in (hits.nearest if reads_language else ())
            if p.similarity >= (max(floor, nearness.emergent) if _is_emergent(p) else floor) and _suits(p, scenario)
        ]
    never_dropped = {principle.id: principle for principle in kept}
    elsewhere = never_dropped.keys() | {principle.id for principle in hits.outside}
    distinct = (*never_dropped.values(), *(p for p in near if p.id not in elsewhere))
    if not distinct:
        raise StoreError("no principle was retrieved: validate and rebuild the store (clinalign principles build)")
    return distinct[: max(limit, len(never_dropped))]


def says_little(hits: Hits, *, nearness: Nearness) -> bool:
    """Whether a query alone does not tell what it is about: nothing is near it, or only what lies outside health."""
    near = any(principle.similarity >= nearness.principle for principle in hits.nearest)
    return not near or is_outside_health(hits, nearness=nearness, flagged=False)


def _is_emergent(principle: Retrieved) -> bool:
    return (principle.dimension, principle.level) == ("urgency", "emergent")


def _suits(principle: Retrieved, scenario: Scenario) -> bool:
    """Whether its level fits: an emergency's demands stay off a routine question, a clinician's off a lay one."""
    match principle.dimension, principle.level:
        case "urgency", "emergent":
            return scenario.urgency is not Urgency.ROUTINE
        case "urgency", "routine":
            return scenario.urgency is not Urgency.EMERGENT
        case "expertise", level:
            return level == ("professional" if scenario.expertise is Expertise.PROFESSIONAL else "lay")
        case _:
            return True
