"""Retrieve: the principles that matter for an enquiry, from what the store found near."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.domain.assessment import Expertise, Retrieved, Scenario, Urgency
from service.domain.errors import StoreError
from service.pipeline.ports import Hits


@dataclass(frozen=True, slots=True)
class Nearness:
    """What is too far to apply: a question is about something else than health where the store's reading of it (1 for
    health, -1 for another subject) lies below `health` and no passage of it reaches `passage`; it says little where
    nothing reaches the cosine `principle`.

    A principle applies if its relevance reaches `relevance` and it is among the `most` most relevant: further down,
    demands that do not apply outnumber those that do. An emergency's demands are the heaviest, and red flags bring them
    in without regard to nearness, so nearness alone must be `emergent` (cosine). Set on the tuning half of questions
    with graded labels, for all-MiniLM-L6-v2: docs/decisions/applies-before-the-draft.md.
    """  # noqa: D205 - one sentence too long for one line

    principle: float = 0.25
    relevance: float = 0.55
    most: int = 4
    emergent: float = 0.4
    health: float = -0.25
    passage: float = 0.30


def is_outside_health(hits: Hits, *, nearness: Nearness, careful: bool) -> bool:
    """Whether the question is plainly about something else than health; what is in doubt is about health.

    Never where it is to be read with care: of a conversation with a sign of danger, whether or not the store has a
    principle for it, or of words that may belong to a language which the encoder does not read.
    """
    return hits.health < nearness.health and not careful


def select(
    hits: Hits, *, scenario: Scenario, limit: int, nearness: Nearness, reads_language: bool, careful: bool
) -> tuple[Retrieved, ...]:
    """Those of red flags first, then those that always apply, then the nearest, up to `limit` in all.

    The limit drops only what is taken for being near. An encoder that does not read the language makes nearness
    meaningless, so nothing is taken by it then.

    Raises:
        StoreError: nothing was retrieved; an empty rubric proves nothing and never passes.

    """
    if reads_language and is_outside_health(hits, nearness=nearness, careful=careful):
        kept: Sequence[Retrieved] = hits.outside or hits.always_on
        near: Sequence[Retrieved] = ()
    else:
        kept = (*hits.flagged, *hits.always_on)
        near = _applying(hits, scenario, nearness) if reads_language else ()
    never_dropped = {principle.id: principle for principle in kept}
    distinct = (*never_dropped.values(), *(p for p in near if p.id not in never_dropped))
    if not distinct:
        raise StoreError("no principle was retrieved: validate and rebuild the store (clinalign principles build)")
    return distinct[: max(limit, len(never_dropped))]


def says_little(hits: Hits, *, nearness: Nearness) -> bool:
    """Whether a query alone does not tell what it is about: nothing is near it, or only what lies outside health."""
    nearest = max(hits.nearest, key=lambda principle: principle.similarity, default=None)
    if nearest is None or nearest.similarity < nearness.principle or hits.health < nearness.health:
        return True
    return nearest.id in {principle.id for principle in hits.outside}


def most_clinical(passages: Sequence[Hits], *, nearness: Nearness) -> Hits | None:
    """Of what was found for the passages of a text, that of the one nearest to health, if it is near enough.

    Padding moves the vector of a whole text, not that of the sentence which asks.
    """
    near = [hits for hits in passages if hits.passage >= nearness.passage]
    return max(near, key=lambda hits: hits.passage, default=None)


def _applying(hits: Hits, scenario: Scenario, nearness: Nearness) -> list[Retrieved]:
    """Those of the nearest that apply to a question about health."""
    elsewhere = {principle.id for principle in hits.outside}
    fitting = [
        p
        for p in hits.nearest
        if p.relevance >= nearness.relevance
        and (not _is_emergent(p) or p.similarity >= nearness.emergent)
        and _suits(p, scenario)
        and p.id not in elsewhere
    ]
    return fitting[: nearness.most]


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
