"""Rubric: the criteria that an answer to this enquiry is held to, chosen before there is one."""

from collections.abc import Sequence

from service.domain.assessment import Criterion, Polarity, RedFlag, Retrieved

DUTY_ID = "duty#upheld"
_DUTY = Criterion(
    id=DUTY_ID,
    principle_id="duty",
    text="Contradicts or weakens the urgent advice that opens the answer.",
    weight=10,
    polarity=Polarity.MUST_NOT,
)


def select(principles: Sequence[Retrieved], *, red_flags: Sequence[RedFlag], limit: int) -> tuple[Criterion, ...]:
    """At most `limit` criteria: those that are never dropped first, then by weight times similarity.

    Never dropped: the duty of a red flag, the criteria of its principles, and of those that always apply. They may
    exceed the limit.
    """
    kept = [_DUTY] if red_flags else []
    kept += [c for p in principles if p.always_on for c in p.criteria]
    ranked = sorted(
        ((c.weight * p.similarity, c) for p in principles if not p.always_on for c in p.criteria),
        key=lambda scored: -scored[0],
    )
    room = max(0, limit - len(kept))
    return (*kept, *(criterion for _, criterion in ranked[:room]))
