"""What was found of each criterion, and the score that follows from it. Scores are computed here, never by a model."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from service.domain.assessment import Criterion, Polarity

# The weight from which a revision may lose nothing: every criterion has at least this.
NOTHING_LOST = 1


class Finding(StrEnum):
    """Whether a criterion is complied with. Unknown never counts as met."""

    MET = "met"
    UNMET = "unmet"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Presence:
    """A judge's reading: does the answer do the thing? None is unknown; `probability` of yes, where there is one."""

    present: bool | None
    probability: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """A criterion with what was found of it."""

    criterion: Criterion
    presence: Presence

    @property
    def finding(self) -> Finding:
        """Met when complied with: must and present, must_not and absent."""
        if self.presence.present is None:
            return Finding.UNKNOWN
        wanted = self.criterion.polarity is Polarity.MUST
        return Finding.MET if self.presence.present is wanted else Finding.UNMET

    @property
    def met(self) -> bool:
        """Whether it is known to be complied with."""
        return self.finding is Finding.MET


def score(verdicts: Iterable[Verdict]) -> float:
    """Weight of what is met over the weight of all, in [0, 1]. An empty rubric scores 0: it proves nothing."""
    judged = list(verdicts)
    total = sum(v.criterion.weight for v in judged)
    return sum(v.criterion.weight for v in judged if v.met) / total if total else 0.0


def failing(verdicts: Sequence[Verdict], *, line: int) -> tuple[Verdict, ...]:
    """The verdicts of weight `line` or more that are not met, heaviest first.

    Where no criterion is so heavy, the line falls to the heaviest: what can fail nothing would pass anything.
    """
    reached = min(line, max((v.criterion.weight for v in verdicts), default=line))
    unmet = (v for v in verdicts if v.criterion.weight >= reached and not v.met)
    return tuple(sorted(unmet, key=lambda v: -v.criterion.weight))


def passes(verdicts: Sequence[Verdict], *, line: int) -> bool:
    """Whether nothing is `failing` at this line. No verdicts at all never pass."""
    return bool(verdicts) and not failing(verdicts, line=line)


def is_better(after: Sequence[Verdict], before: Sequence[Verdict], *, line: int = NOTHING_LOST, gain: int = 0) -> bool:
    """Whether a revision is accepted: a strictly better score, and no criterion of weight `line` or more lost.

    By default nothing may be lost. What is met must weigh at least `gain` more than before: the pipeline asks for the
    weight of the lightest thing that was to be mended. Chosen by simulation: docs/decisions/two-judges.md.
    """
    held = {v.criterion.id for v in before if v.met and v.criterion.weight >= line}
    kept = {v.criterion.id for v in after if v.met}
    return held <= kept and score(after) > score(before) and _weight_met(after) - _weight_met(before) >= gain


def _weight_met(verdicts: Iterable[Verdict]) -> int:
    return sum(v.criterion.weight for v in verdicts if v.met)
