"""Rubric: the criteria that an answer to this enquiry is held to, chosen before there is one."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from service.domain.assessment import Criterion, Polarity, RedFlag, Retrieved
from service.domain.enquiry import Audience

DUTY_ID = "duty#upheld"
_DUTY = Criterion(
    id=DUTY_ID,
    principle_id="duty",
    text="Contradicts or weakens the urgent advice that opens the answer.",
    weight=10,
    polarity=Polarity.MUST_NOT,
)
# The same duty where code did not put its words before the answer: then the answer itself must do it. A clinician is
# not told to call an ambulance.
_DUTY_UNAIDED = Criterion(
    id=DUTY_ID,
    principle_id="duty",
    text="Tells the person to get urgent medical help now.",
    weight=10,
    polarity=Polarity.MUST,
)
_DUTY_TO_CLINICIAN = replace(_DUTY_UNAIDED, text="Names the possible emergency and what to do about it at once.")


def select(
    principles: Sequence[Retrieved], *, red_flags: Sequence[RedFlag], limit: int, flagged: Collection[str] = ()
) -> tuple[Criterion, ...]:
    """At most `limit` criteria: those that are never dropped first, then by weight times similarity.

    Never dropped: the duty of a red flag, the criteria of its principles (`flagged` are their ids), and of those that
    always apply. They may exceed the limit.
    """
    kept = [_DUTY] if red_flags else []
    stays = {p.id for p in principles if p.always_on or p.id in flagged}
    kept += [c for p in principles if p.id in stays for c in p.criteria]
    ranked = sorted(
        ((c.weight * p.similarity, c) for p in principles if p.id not in stays for c in p.criteria),
        key=lambda scored: -scored[0],
    )
    room = max(0, limit - len(kept))
    return (*kept, *(criterion for _, criterion in ranked[:room]))


def unaided(criteria: Sequence[Criterion], *, audience: Audience | None) -> tuple[Criterion, ...]:
    """The rubric of an answer that does not open with the duty's words."""
    duty = _DUTY_TO_CLINICIAN if audience is Audience.CLINICIAN else _DUTY_UNAIDED
    return tuple(duty if criterion.id == DUTY_ID else criterion for criterion in criteria)
