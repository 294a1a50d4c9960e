"""Rows in, a presence and a time for each out, by the small judge or by any `Judge` of the pipeline."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from service.domain.answer import Candidate
from service.domain.assessment import (
    Assessment,
    Criterion,
    Expertise,
    Polarity,
    Scenario,
    TaskType,
    Uncertainty,
    Urgency,
)
from service.domain.conversation import Conversation
from service.domain.deadline import Deadline
from service.domain.enquiry import Enquiry, Tenant
from service.domain.verdict import Presence
from service.engines.small_judge import asked, readable
from service.entailment.reader import UNKNOWN, AnswerReader, decide, question_key
from service.judge_evaluation.rows import Row
from service.pipeline.ports import Judge

Progress = Callable[[int, int], None]
_PATIENCE_S = 300.0
_NOWHERE = Scenario(Urgency.ROUTINE, Uncertainty.NONE, Expertise.LAY, TaskType.EDUCATION)


@dataclass(frozen=True, slots=True)
class Predictions:
    """What a judge said of each row, in their order, and the milliseconds that one criterion took on average."""

    found: tuple[Presence, ...]
    milliseconds: float

    @property
    def told(self) -> tuple[bool, ...]:
        """Unknown counts as not told: it never passes anything."""
        return tuple(presence.present is True for presence in self.found)


def ask_reader(reader: AnswerReader, rows: Sequence[Row], *, together: bool, progress: Progress) -> Predictions:
    """The small judge, each row by the head that has not seen its question; all criteria of an answer in one pass."""
    found: dict[int, Presence] = {}
    spent = 0.0
    for (_, answer), mine in _by_answer(rows).items():
        started = time.perf_counter()
        criteria = [row.criterion for row in mine]
        known = mine[0].answered and readable(answer)
        question = asked(Conversation(mine[0].conversation))
        evidence = (
            reader.evidence(answer, criteria, question=question, together=together) if known else [None] * len(mine)
        )
        spent += time.perf_counter() - started
        for row, each in zip(mine, evidence, strict=True):
            found[row.index] = decide(each, reader.manifest.head_for(row.criterion, question_key(row.cluster)))
        progress(len(found), len(rows))
    return Predictions(tuple(found[row.index] for row in rows), 1e3 * spent / max(len(rows), 1))


async def ask_judge(judge: Judge, rows: Sequence[Row], *, progress: Progress) -> Predictions:
    """A judge that is asked about an answer as the pipeline asks it: all criteria of one answer at once.

    Where there is no answer nothing is asked, and all is unknown.
    """
    found: dict[int, Presence] = {}
    spent = 0.0
    answered = [row for row in rows if row.answered]
    for mine in _by_answer(answered).values():
        criteria = [_criterion(row) for row in mine]
        started = time.perf_counter()
        verdicts, _ = await judge.judge(_assessment(mine[0]), Candidate(mine[0].answer), criteria)
        spent += time.perf_counter() - started
        found |= {row.index: verdict.presence for row, verdict in zip(mine, verdicts, strict=True)}
        progress(len(found), len(answered))
        await asyncio.sleep(0)
    return Predictions(tuple(found.get(row.index, UNKNOWN) for row in rows), 1e3 * spent / max(len(rows), 1))


def _by_answer(rows: Sequence[Row]) -> Mapping[tuple[str, str], Sequence[Row]]:
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.cluster, row.answer].append(row)
    return groups


def _criterion(row: Row) -> Criterion:
    return Criterion(f"row#{row.index}", "row", row.criterion, 5, Polarity.MUST)


def _assessment(row: Row) -> Assessment:
    enquiry = Enquiry(
        id=f"row-{row.index}",
        tenant=Tenant("evaluation"),
        conversation=Conversation(row.conversation),
        deadline=Deadline.after(_PATIENCE_S),
    )
    return Assessment(enquiry, (), _NOWHERE, (), ())
