"""The order of the steps: an enquiry comes in, an answer that was judged, or the tenant's policy, goes out."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

from service.domain.answer import (
    Answer,
    Candidate,
    Judged,
    Provenance,
    Reason,
    Revision,
    RevisionReason,
)
from service.domain.assessment import Assessment, Notice
from service.domain.completion import Usage
from service.domain.conversation import Role
from service.domain.enquiry import Enquiry, RevisionStyle
from service.domain.errors import EngineError, EngineTimeout, EngineUnavailable, InvalidRequest, StoreError
from service.domain.verdict import Finding, Verdict, failing, is_better
from service.observability.logs import failed
from service.pipeline import draft, fit, release, retrieve, revise, rubric, scenario
from service.pipeline.ports import Abilities, Engine, Hits, Judge, Principles
from service.pipeline.screen import Screen, language_spoken
from service.prompts.base import harmless
from service.prompts.control import neutralise_tool
from service.prompts.digest import prompts_digest


class Watcher(Protocol):
    """Who follows an answer as it is made: a stream to the caller, or nobody."""

    def stage(self, name: str) -> None:
        """Called when a stage begins."""
        ...

    def provisional(self, text: str) -> None:
        """Called with each piece of the draft, which nobody has judged yet."""
        ...


class Unwatched:
    """Nobody follows."""

    def stage(self, name: str) -> None:
        """Nothing happens."""

    def provisional(self, text: str) -> None:
        """Nothing happens."""


# How many turns of the user tell what the latest is about.
_RECENT = 4
# What is said of an engine that has not been reached.
UNREACHED = Abilities(model="unreached", context_tokens=0, probabilities=False, json_schema=False, cached_tokens=False)


@dataclass(frozen=True, slots=True)
class Limits:
    """What the pipeline may spend: tokens of a draft or rewrite, of edits, and room kept for the guide."""

    draft_tokens: int = 1024
    edits_tokens: int = 512
    guide_tokens: int = 700
    max_revisions: int = 2
    nearness: retrieve.Nearness = field(default_factory=retrieve.Nearness)


@dataclass(slots=True)
class _Work:
    """What has come of one enquiry so far: read when it ends, however it ends."""

    assessment: Assessment
    asked: Enquiry
    best: Judged | None = None
    revisions: list[Revision] = field(default_factory=list)
    usage: dict[str, Usage] = field(default_factory=dict)
    timings_ms: dict[str, float] = field(default_factory=dict)

    def spend(self, stage: str, usage: Usage) -> None:
        self.usage[stage] = self.usage.get(stage, Usage()) + usage

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            spent = (time.perf_counter() - began) * 1000
            self.timings_ms[stage] = self.timings_ms.get(stage, 0.0) + spent


@dataclass(frozen=True, slots=True)
class Orchestrator:
    """Holds the collaborators; each method is one enquiry."""

    screen: Screen
    principles: Principles
    engine: Engine
    judge: Judge
    limits: Limits
    service_version: str

    async def answer(self, enquiry: Enquiry, *, watcher: Watcher | None = None) -> Answer:
        """Draft, judge, revise, and release or withhold. Never raises for what the model or the store does.

        Raises:
            InvalidRequest: the last message does not fit the model's context, and there is no red flag to answer.

        """
        follow = watcher or Unwatched()

        async def make(work: _Work) -> Candidate:
            follow.stage("draft")
            with work.timed("draft"):
                show = follow.provisional if enquiry.tenant.provisional_drafts else None
                if show and work.assessment.duty:
                    show(f"{work.assessment.duty}\n\n")
                candidate, usage = await draft.draft(
                    work.assessment, engine=self.engine, max_tokens=self.limits.draft_tokens, on_text=show
                )
            work.spend("draft", usage)
            return candidate

        return await self._run(enquiry, make, follow)

    async def check(self, enquiry: Enquiry, text: str, *, watcher: Watcher | None = None) -> Answer:
        """The same for an answer that some other model wrote. With `max_revisions` 0 it is judged as it stands.

        What may be mended gets the duty's words; what may not must say as much by itself.
        """

        async def given(work: _Work) -> Candidate:
            if enquiry.options.max_revisions:
                return Candidate(body=text.strip(), duty=work.assessment.duty)
            work.assessment = replace(work.assessment, rubric=rubric.unaided(work.assessment.rubric))
            return Candidate(body=text.strip())

        return await self._run(enquiry, given, watcher or Unwatched())

    async def _run(self, enquiry: Enquiry, make: Callable[[_Work], Awaitable[Candidate]], follow: Watcher) -> Answer:
        began = time.perf_counter()
        # CPU work, which a long conversation makes long; other requests' streams go on meanwhile.
        work = _Work(await asyncio.to_thread(self._screened, enquiry), enquiry)
        work.timings_ms["screen"] = (time.perf_counter() - began) * 1000
        trouble: Reason | None = None
        try:
            async with asyncio.timeout(enquiry.deadline.remaining()):
                trouble = await self._work(work, make, follow)
        except (TimeoutError, EngineTimeout):
            trouble = Reason.DEADLINE
        except EngineError:
            trouble = Reason.ENGINE_FAILED
        except StoreError:
            trouble = Reason.NOTHING_RETRIEVED
        except InvalidRequest:
            # A refusal says nothing to somebody in danger: the duty leaves all the same.
            if not work.assessment.duty:
                raise
            trouble = Reason.DOES_NOT_FIT
        except Exception as error:  # noqa: BLE001 - whatever broke, the duty and the tenant's policy hold; the log has it
            failed(error, id=enquiry.id)
            trouble = Reason.INTERNAL
        work.timings_ms["total"] = (time.perf_counter() - began) * 1000
        return self._finished(work, trouble)

    async def _work(self, work: _Work, make: Callable[[_Work], Awaitable[Candidate]], follow: Watcher) -> Reason | None:
        follow.stage("retrieve")
        with work.timed("retrieve"):
            work.assessment = await self._assessed(work.assessment)
        work.assessment = await self._fitted(work.assessment)
        candidate = await make(work)
        if not candidate.body and not candidate.tool_calls:
            return Reason.EMPTY_DRAFT
        judged = await self._judged(work, candidate, round_=0, follow=follow)
        work.best = judged
        await self._revised(work, judged, follow)
        return None

    def _screened(self, enquiry: Enquiry) -> Assessment:
        """Red flags first, since they need nothing and stand when all else fails."""
        screened = self.screen.examine(enquiry.conversation, audience=enquiry.audience)
        flags = screened.flags
        language = language_spoken(enquiry.conversation)
        duty = self.screen.duty(flags, audience=enquiry.audience, language=language)
        careful = scenario.settle(scenario.CAREFUL, red_flags=flags, audience=enquiry.audience)
        tools = tuple(neutralise_tool(tool) for tool in enquiry.shape.tools)
        return Assessment(
            enquiry=replace(enquiry, shape=replace(enquiry.shape, tools=tools)),
            red_flags=flags,
            scenario=careful,
            principles=(),
            rubric=(),
            duty=duty,
            language=language,
            notices=self._notices(enquiry) | ({Notice.SCREENED_BY_RULES_ALONE} if screened.rules_alone else set()),
        )

    def _notices(self, enquiry: Enquiry) -> frozenset[Notice]:
        notices = set() if self.judge.calibrated else {Notice.JUDGE_UNCALIBRATED}
        if self.abilities.demonstration:
            notices.add(Notice.DEMONSTRATION_MODEL)
        if enquiry.revisions_reduced:
            notices.add(Notice.REVISIONS_REDUCED)
        turns = enquiry.conversation.messages
        if any(harmless(turn) != turn for turn in turns) or any(neutralise_tool(t) != t for t in enquiry.shape.tools):
            notices.add(Notice.CONTROL_TOKENS_NEUTRALISED)
        return frozenset(notices)

    async def _assessed(self, assessment: Assessment) -> Assessment:
        enquiry = assessment.enquiry
        hits = await self._consulted(assessment)
        settled = scenario.settle(hits.scenario, red_flags=assessment.red_flags, audience=enquiry.audience)
        reads, flagged = assessment.language == "en", bool(assessment.red_flags)
        chosen = retrieve.select(
            hits,
            scenario=settled,
            limit=enquiry.options.max_principles,
            nearness=self.limits.nearness,
            reads_language=reads,
            flagged=flagged,
        )
        notices = set(assessment.notices)
        if not reads:
            notices.add(Notice.LANGUAGE_NOT_READ)
        elif retrieve.is_outside_health(hits, nearness=self.limits.nearness, flagged=flagged):
            notices.add(Notice.OUTSIDE_HEALTH)
        return replace(
            assessment,
            scenario=settled,
            principles=chosen,
            rubric=rubric.select(
                chosen,
                red_flags=assessment.red_flags,
                flagged={principle.id for principle in hits.flagged},
                limit=enquiry.options.max_criteria,
            ),
            principles_digest=hits.digest,
            notices=frozenset(notices),
        )

    async def _consulted(self, assessment: Assessment) -> Hits:
        """What is known of the question; one that says little alone (`Yes.`) is read with what was said before it."""
        enquiry = assessment.enquiry
        consult = partial(
            self.principles.consult,
            families=[flag.family for flag in assessment.red_flags],
            limit=enquiry.options.max_principles,
        )
        said = [turn.content for turn in reversed(enquiry.conversation.turns) if turn.role is Role.USER]
        hits = await consult(said[0])
        if len(said) > 1 and retrieve.says_little(hits, nearness=self.limits.nearness):
            return await consult("\n".join(said[:_RECENT]))
        return hits

    async def _fitted(self, assessment: Assessment) -> Assessment:
        enquiry = assessment.enquiry
        reserve = 2 * self.limits.draft_tokens + self.limits.guide_tokens
        budget = max(0, self.engine.abilities.context_tokens - reserve)
        kept = await fit.fit(enquiry.conversation, budget=budget, engine=self.engine, deadline=enquiry.deadline)
        if kept is enquiry.conversation:
            return assessment
        return replace(
            assessment,
            enquiry=replace(enquiry, conversation=kept),
            notices=assessment.notices | {Notice.CONVERSATION_TRUNCATED},
        )

    async def _judged(self, work: _Work, candidate: Candidate, *, round_: int, follow: Watcher) -> Judged:
        follow.stage("judge")
        with work.timed("judge"):
            verdicts, usage = await self.judge.judge(work.assessment, candidate, work.assessment.rubric)
        work.spend("judge", usage)
        return Judged(candidate, verdicts, round_)

    async def _revised(self, work: _Work, best: Judged, follow: Watcher) -> None:
        """Rounds of revision while a weighty criterion is unmet; a revision that is not better is left."""
        options = work.assessment.enquiry.options
        for round_ in range(1, min(options.max_revisions, self.limits.max_revisions) + 1):
            targets = _targets(best.verdicts, line=work.assessment.enquiry.tenant.release_line)
            if not targets or not revise.can_revise(best.candidate):
                return
            best = await self._round(work, best, targets, round_=round_, follow=follow)
            work.best = best

    async def _round(
        self, work: _Work, best: Judged, targets: tuple[Verdict, ...], *, round_: int, follow: Watcher
    ) -> Judged:
        style = revise.style_for(work.assessment, round_=round_)
        follow.stage("revise")
        note = _noted(work, best, targets, round_=round_, style=style)
        try:
            with work.timed("revise"):
                attempt = await revise.revise(
                    work.assessment,
                    best.candidate,
                    [v.criterion for v in targets],
                    style=style,
                    engine=self.engine,
                    max_tokens=self.limits.edits_tokens if style is RevisionStyle.EDITS else self.limits.draft_tokens,
                )
        except EngineTimeout:
            raise
        except EngineError:
            note(RevisionReason.ENGINE_FAILED, None)
            return best
        work.spend("revise", attempt.usage)
        if attempt.candidate is None:
            note(RevisionReason.UNREADABLE, None)
            return best
        if attempt.candidate.body == best.candidate.body:
            note(RevisionReason.UNCHANGED, None)
            return best
        judged = await self._judged(work, attempt.candidate, round_=round_, follow=follow)
        reason = _accepted(judged, best, line=work.assessment.enquiry.tenant.release_line)
        note(reason, judged)
        return judged if reason is RevisionReason.BETTER else best

    def _finished(self, work: _Work, trouble: Reason | None) -> Answer:
        # As it was admitted: what is written down of an enquiry is what was sent, whatever part the model could hold.
        assessment = replace(work.assessment, enquiry=work.asked)
        left = release.release(assessment, work.best, trouble=trouble, duty_id=rubric.DUTY_ID)
        return Answer(
            assessment=assessment,
            text=left.text,
            outcome=left.outcome,
            reason=left.reason,
            judged=left.judged,
            draft=work.best,
            revisions=tuple(work.revisions),
            usage=work.usage,
            timings_ms=work.timings_ms,
            provenance=self._provenance(assessment),
            tool_calls=left.tool_calls,
            finish_reason=left.finish_reason,
        )

    @property
    def abilities(self) -> Abilities:
        """What the engine was found to do, or UNREACHED: whoever asks for an answer gets one all the same."""
        try:
            return self.engine.abilities
        except EngineUnavailable:
            return UNREACHED

    def _provenance(self, assessment: Assessment) -> Provenance:
        abilities = self.abilities
        return Provenance(
            principles_digest=assessment.principles_digest,
            prompts_digest=prompts_digest(),
            model=abilities.model,
            checkpoint_digest=abilities.checkpoint_digest,
            judge=self.judge.name,
            seed=assessment.enquiry.sampling.seed,
            service_version=self.service_version,
            notices=tuple(sorted(assessment.notices)),
        )


def _targets(verdicts: tuple[Verdict, ...], *, line: int) -> tuple[Verdict, ...]:
    """What a revision is asked to mend. With nothing read at all there is nothing to go by."""
    if all(v.finding is Finding.UNKNOWN for v in verdicts):
        return ()
    return failing(verdicts, line=line)


def _accepted(after: Judged, before: Judged, *, line: int) -> RevisionReason:
    if is_better(after.verdicts, before.verdicts, line=line):
        return RevisionReason.BETTER
    return RevisionReason.LOST_A_WEIGHTY_CRITERION if after.score > before.score else RevisionReason.NOT_BETTER


def _noted(
    work: _Work, best: Judged, targets: tuple[Verdict, ...], *, round_: int, style: RevisionStyle
) -> Callable[[RevisionReason, Judged | None], None]:
    """A function that writes down how this round ended."""

    def note(reason: RevisionReason, judged: Judged | None) -> None:
        work.revisions.append(
            Revision(
                round=round_,
                style=style,
                accepted=reason is RevisionReason.BETTER,
                reason=reason,
                score_before=best.score,
                score_after=judged.score if judged else None,
                targets=tuple(v.criterion.id for v in targets),
                before=best.candidate.body,
                after=judged.candidate.body if judged else None,
            )
        )

    return note
