"""An entry of the ledger comes in; what its own verdicts lead to, computed anew by the code that decides, goes out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.domain.answer import Candidate, Judged, Reason, RevisionReason
from service.domain.assessment import Assessment, Criterion, Polarity
from service.domain.verdict import Presence, Verdict
from service.pipeline import chore, release, rubric
from service.pipeline.rounds import acceptance, targets_of

Entry = Mapping[str, Any]
# How a round ends that was not judged: that is no arithmetic, so it is taken as it was written down.
_NOT_JUDGED = frozenset(
    {RevisionReason.UNREADABLE, RevisionReason.UNCHANGED, RevisionReason.DISCLOSES, RevisionReason.ENGINE_FAILED}
)


@dataclass(frozen=True, slots=True)
class Recomputed:
    """The arithmetic of one answer: findings and score of each candidate, targets and acceptance of each round, and
    what leaves.
    """  # noqa: D205 - one sentence too long for one line

    candidates: Sequence[Mapping[str, object]]
    rounds: Sequence[Mapping[str, object]]
    outcome: str
    outcome_reason: str | None
    round: int | None


def is_chore(entry: Entry) -> bool:
    """Whether it was done as a chore, whatever came of it."""
    return "chore" in entry["timings_ms"]


def recompute(entry: Entry, assessment: Assessment) -> Recomputed:
    """Follow the recorded verdicts through the rounds to the release. `assessment` brings the tenant's line and policy.

    Raises:
        KeyError, ValueError, TypeError: the entry is not one that this version wrote.

    """
    line = assessment.enquiry.tenant.release_line
    judged = {one.round: one for one in _judged(entry)}
    best, rounds = judged.get(0), []
    for recorded in entry["revisions"]:
        if best is None:
            break
        after, targets = judged.get(recorded["round"]), targets_of(best.guiding, line=line)
        reason = RevisionReason(recorded["reason"])
        if after is not None or reason not in _NOT_JUDGED:
            reason = acceptance(after, best, targets, line=line) if after else RevisionReason.NOT_BETTER
        rounds.append(
            {
                "round": recorded["round"],
                "targets": [verdict.criterion.id for verdict in targets],
                "reason": reason.value,
                "accepted": reason is RevisionReason.BETTER,
                "score_before": best.score,
                "score_after": after.score if after else None,
            }
        )
        best = after if after is not None and reason is RevisionReason.BETTER else best
    trouble = Reason(entry["trouble"]) if entry["trouble"] else None
    left = (
        release.unjudged(Candidate(body=""))
        if trouble is None and best is None and not entry["red_flags"] and chore.is_chore(assessment)
        else release.release(assessment, best, trouble=trouble, duty_id=rubric.DUTY_ID)
    )
    return Recomputed(
        candidates=[
            {"round": one.round, "score": one.score, "found": [_finding(v) for vs in one.by_judge for v in vs]}
            for one in judged.values()
        ],
        rounds=rounds,
        outcome=left.outcome.value,
        outcome_reason=left.reason.value if left.reason else None,
        round=best.round if best else None,
    )


def _finding(verdict: Verdict) -> list[str]:
    return [verdict.criterion.id, verdict.finding.value]


def _judged(entry: Entry) -> Iterator[Judged]:
    criteria = {
        c["criterion_id"]: Criterion(
            c["criterion_id"], c["criterion_id"].partition("#")[0], "", c["weight"], Polarity(c["polarity"])
        )
        for c in entry["rubric"]
    }
    for one in entry["candidates"]:
        yield Judged(
            Candidate(body=""),
            _verdicts(one["verdicts"], criteria),
            one["round"],
            _verdicts(one["guidance"], criteria),
        )


def _verdicts(recorded: Sequence[Entry], criteria: Mapping[str, Criterion]) -> tuple[Verdict, ...]:
    return tuple(Verdict(criteria[v["criterion_id"]], Presence(v["present"], v["probability"])) for v in recorded)
