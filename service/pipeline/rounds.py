"""Rounds of revision: a draft comes in, and the best that was judged of it and its revisions stands at the end."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.domain.answer import Candidate, Judged, Revision, RevisionReason
from service.domain.enquiry import RevisionStyle
from service.domain.errors import EngineError, EngineTimeout
from service.domain.verdict import Finding, Verdict, failing, is_better
from service.pipeline import revise
from service.pipeline.disclosure import discloses
from service.pipeline.judges import Judges
from service.pipeline.ports import Engine
from service.pipeline.watching import Watcher
from service.pipeline.work import Limits, Work

_NEVER_WEIGHTY = 11  # above every weight: a loss of any kind is looked past


@dataclass(frozen=True, slots=True)
class _Round:
    """What a round starts from and what it is to mend."""

    number: int
    style: RevisionStyle
    best: Judged
    targets: tuple[Verdict, ...]

    def ended(self, reason: RevisionReason, judged: Judged | None = None) -> Revision:
        """What is written down of it."""
        return Revision(
            round=self.number,
            style=self.style,
            accepted=reason is RevisionReason.BETTER,
            reason=reason,
            score_before=self.best.score,
            score_after=judged.score if judged else None,
            targets=tuple(v.criterion.id for v in self.targets),
            before=self.best.candidate.body,
            after=judged.candidate.body if judged else None,
            judged=judged,
        )


@dataclass(frozen=True, slots=True)
class Rounds:
    """Judges, revises and accepts, with the collaborators it is given."""

    engine: Engine
    judges: Judges
    limits: Limits

    async def run(self, work: Work, draft: Candidate, follow: Watcher) -> None:
        """Judge the draft and mend it while a weighty criterion is unmet; a revision that is not better is left."""
        work.first = work.best = await self._judged(work, draft, round_=0, follow=follow)
        enquiry = work.assessment.enquiry
        for number in range(1, min(enquiry.options.max_revisions, self.limits.max_revisions) + 1):
            targets = targets_of(work.best.guiding, line=enquiry.tenant.release_line)
            if not targets or not revise.can_revise(work.best.candidate):
                return
            style = revise.style_for(work.assessment, round_=number)
            revision = await self._round(work, _Round(number, style, work.best, targets), follow)
            work.revisions.append(revision)
            if revision.accepted and revision.judged is not None:
                work.best = revision.judged

    async def _judged(self, work: Work, candidate: Candidate, *, round_: int, follow: Watcher) -> Judged:
        follow.stage("judge")
        with work.timed("judge"):
            judged, usage = await self.judges.judge(work.assessment, candidate, round_=round_)
        for stage, spent in usage.items():
            work.spend(stage, spent)
        if not work.asked.deadline.remaining() and any(_has_unknown(verdicts) for verdicts in judged.by_judge):
            raise EngineTimeout("the deadline passed while the answer was judged")
        return judged

    async def _round(self, work: Work, this: _Round, follow: Watcher) -> Revision:
        follow.stage("revise")
        try:
            with work.timed("revise"):
                attempt = await self._attempt(work, this)
        except EngineTimeout:
            raise
        except EngineError:
            return this.ended(RevisionReason.ENGINE_FAILED)
        work.spend("revise", attempt.usage)
        if attempt.candidate is None:
            return this.ended(RevisionReason.UNREADABLE)
        if attempt.candidate.body == this.best.candidate.body:
            return this.ended(RevisionReason.UNCHANGED)
        if discloses(attempt.candidate, work.assessment):
            return this.ended(RevisionReason.DISCLOSES)
        judged = await self._judged(work, attempt.candidate, round_=this.number, follow=follow)
        line = work.assessment.enquiry.tenant.release_line
        return this.ended(acceptance(judged, this.best, this.targets, line=line), judged)

    async def _attempt(self, work: Work, this: _Round) -> revise.Attempt:
        edits = this.style is RevisionStyle.EDITS
        return await revise.revise(
            work.assessment,
            this.best.candidate,
            [v.criterion for v in this.targets],
            style=this.style,
            engine=self.engine,
            max_tokens=self.limits.edits_tokens if edits else self.limits.draft_tokens,
        )


def _has_unknown(verdicts: tuple[Verdict, ...]) -> bool:
    return any(v.finding is Finding.UNKNOWN for v in verdicts)


def targets_of(verdicts: tuple[Verdict, ...], *, line: int) -> tuple[Verdict, ...]:
    """What a revision is asked to mend. With nothing read at all there is nothing to go by."""
    if all(v.finding is Finding.UNKNOWN for v in verdicts):
        return ()
    return failing(verdicts, line=line)


def acceptance(after: Judged, before: Judged, targets: Sequence[Verdict], *, line: int) -> RevisionReason:
    """Whether a revision takes its predecessor's place, by the accepting judge's verdicts, and if not, why.

    It must gain at least what the lightest of its `targets` weighs, and lose nothing. `line` is the tenant's: it only
    tells a weighty loss from a light one, for neither is accepted.
    """
    gain = min((target.criterion.weight for target in targets), default=0)
    if is_better(after.verdicts, before.verdicts, gain=gain):
        return RevisionReason.BETTER
    if not is_better(after.verdicts, before.verdicts, line=_NEVER_WEIGHTY, gain=gain):
        return RevisionReason.NOT_BETTER
    kept = is_better(after.verdicts, before.verdicts, line=line, gain=gain)
    return RevisionReason.LOST_A_CRITERION if kept else RevisionReason.LOST_A_WEIGHTY_CRITERION
