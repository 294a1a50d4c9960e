"""What a revision is asked for, sign-aware: a forbidden thing is named as one, and never becomes a demand."""

from collections.abc import Sequence

from service.domain.assessment import Criterion, Polarity


def wishes(targets: Sequence[Criterion]) -> str:
    """One line a target, heaviest first as given."""
    return "\n".join(f"- {_SIGN[target.polarity]} {target.text}" for target in targets)


_SIGN = {Polarity.MUST: "Add what is missing:", Polarity.MUST_NOT: "Take out what is forbidden:"}
SIGNS = tuple(_SIGN.values())
