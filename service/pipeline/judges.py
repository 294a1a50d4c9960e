"""The judges of one gateway: who guides revisions, and who accepts them, which may be another."""

import asyncio
from dataclasses import dataclass

from service.domain.answer import Candidate, Judged
from service.domain.assessment import Assessment
from service.domain.completion import Usage
from service.pipeline.ports import Judge


@dataclass(frozen=True, slots=True)
class Judges:
    """`guide` says what a revision is to mend, `accept` whether it did; one judge may be both."""

    guide: Judge
    accept: Judge

    @property
    def differ(self) -> bool:
        """Whether there are two."""
        return self.accept is not self.guide

    @property
    def calibrated(self) -> bool:
        """Whether all of them are."""
        return self.guide.calibrated and self.accept.calibrated

    async def judge(
        self, assessment: Assessment, candidate: Candidate, *, round_: int
    ) -> tuple[Judged, dict[str, Usage]]:
        """The candidate with what each judge found, and what each cost, by stage. Both judge at once."""
        criteria = assessment.rubric
        if not self.differ:
            verdicts, usage = await self.accept.judge(assessment, candidate, criteria)
            return Judged(candidate, verdicts, round_), {"judge": usage}
        async with asyncio.TaskGroup() as group:
            accepting = group.create_task(self.accept.judge(assessment, candidate, criteria))
            guiding = group.create_task(self.guide.judge(assessment, candidate, criteria))
        (verdicts, spent), (guidance, usage) = accepting.result(), guiding.result()
        return Judged(candidate, verdicts, round_, guidance), {"judge": usage, "accept": spent}
