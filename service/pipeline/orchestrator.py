"""The order of the steps: an enquiry comes in, an answer that was judged, or the tenant's policy, goes out."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial

from service.domain.answer import Answer, Candidate, Provenance, Reason
from service.domain.assessment import Assessment, Notice
from service.domain.conversation import Role
from service.domain.enquiry import Enquiry
from service.domain.errors import EngineError, EngineTimeout, EngineUnavailable, InvalidRequest, StoreError
from service.observability.logs import failed
from service.pipeline import chore, draft, fit, release, repair, retrieve, rubric, scenario
from service.pipeline.disclosure import discloses
from service.pipeline.judges import Judges
from service.pipeline.ports import Abilities, Engine, Hits, Judge, Principles
from service.pipeline.rounds import Rounds
from service.pipeline.schema import breaks
from service.pipeline.screen import Screen, is_plain_english, language_spoken, passages_of
from service.pipeline.watching import Unwatched, Watcher
from service.pipeline.work import Limits, Work
from service.prompts.base import harmless
from service.prompts.control import neutralise_tool
from service.prompts.digest import prompts_digest
from service.prompts.scaffold import shows_scaffold

# Whoever builds or follows an orchestrator finds these here too.
__all__ = ["UNREACHED", "Limits", "Orchestrator", "Unwatched", "Watcher"]

# How many turns of the user tell what the latest is about.
_RECENT = 4
# A call ends itself at the deadline, and tells what it had cost; this is for whatever does not.
_BACKSTOP_S = 0.25
# What is said of an engine that has not been reached.
UNREACHED = Abilities(model="unreached", context_tokens=0, probabilities=False, json_schema=False, cached_tokens=False)


@dataclass(frozen=True, slots=True)
class Orchestrator:
    """Holds the collaborators; each method is one enquiry.

    `judge` guides revisions; `accept_judge`, where it is another, accepts them. `readers` are the engines besides
    `engine` that must be able to read a whole prompt: a judge's own. `held` holds an answer to one checkpoint,
    where the engine may change it meanwhile.
    """

    screen: Screen
    principles: Principles
    engine: Engine
    judge: Judge
    limits: Limits
    service_version: str
    accept_judge: Judge | None = None
    readers: tuple[Engine, ...] = ()
    held: Callable[[], AbstractContextManager[None]] = nullcontext

    @property
    def judges(self) -> Judges:
        """Who guides and who accepts."""
        return Judges(self.judge, self.accept_judge or self.judge)

    @property
    def _context_tokens(self) -> int:
        """The shortest context of those that read a whole prompt."""
        return min(reader.abilities.context_tokens for reader in (self.engine, *self.readers))

    @property
    def _room(self) -> Limits:
        return self.limits.within(self._context_tokens)

    async def answer(self, enquiry: Enquiry, *, watcher: Watcher | None = None) -> Answer:
        """Draft, judge, revise, and release or withhold. Never raises for what the model or the store does.

        Raises:
            InvalidRequest: the last message does not fit the model's context, and there is no red flag to answer.
            EngineError: the engine failed, the tenant wants that as an error, and there is no red flag to answer.

        """
        follow = watcher or Unwatched()

        async def make(work: Work) -> Candidate:
            follow.stage("draft")
            with work.timed("draft"):
                show = follow.provisional if enquiry.tenant.provisional_drafts else None
                if show and work.assessment.duty:
                    show(f"{work.assessment.duty}\n\n")
                candidate, usage = await draft.draft(
                    work.assessment, engine=self.engine, max_tokens=self._room.draft_tokens, on_text=show
                )
            work.spend("draft", usage)
            return await self._repaired(work, candidate) if breaks(enquiry.shape, candidate) else candidate

        return await self._run(enquiry, make, follow)

    async def check(self, enquiry: Enquiry, text: str, *, watcher: Watcher | None = None) -> Answer:
        """The same for an answer that some other model wrote. With `max_revisions` 0 it is judged as it stands.

        What may be mended gets the duty's words; what may not must say as much by itself.
        """

        async def given(work: Work) -> Candidate:
            if enquiry.options.max_revisions:
                return Candidate(body=text.strip(), duty=work.assessment.duty)
            work.assessment = _unaided(work.assessment)
            return Candidate(body=text.strip())

        return await self._run(enquiry, given, watcher or Unwatched())

    async def _run(self, enquiry: Enquiry, make: Callable[[Work], Awaitable[Candidate]], follow: Watcher) -> Answer:
        with self.held():
            return await self._made(enquiry, make, follow)

    async def _made(self, enquiry: Enquiry, make: Callable[[Work], Awaitable[Candidate]], follow: Watcher) -> Answer:
        began = time.perf_counter()
        # CPU work, which a long conversation makes long; other requests' streams go on meanwhile.
        work = Work(await asyncio.to_thread(self._screened, enquiry), enquiry)
        work.timings_ms["screen"] = (time.perf_counter() - began) * 1000
        trouble: Reason | None = None
        try:
            async with asyncio.timeout(enquiry.deadline.remaining() + _BACKSTOP_S):
                trouble = await self._work(work, make, follow)
        except (TimeoutError, EngineTimeout):
            trouble = Reason.DEADLINE
        except EngineError:
            if enquiry.tenant.engine_errors and not work.assessment.duty:
                raise
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
        if work.best is not None and breaks(enquiry.shape, work.best.candidate):
            trouble = Reason.SCHEMA_UNMET
        work.timings_ms["total"] = (time.perf_counter() - began) * 1000
        return self._finished(work, trouble)

    async def _work(self, work: Work, make: Callable[[Work], Awaitable[Candidate]], follow: Watcher) -> Reason | None:
        if chore.is_chore(work.assessment):
            return await self._chore(work, follow)
        follow.stage("retrieve")
        with work.timed("retrieve"):
            work.assessment = await self._assessed(work.assessment)
        work.assessment = await self._fitted(work.assessment)
        candidate = await make(work)
        if not candidate.body and not candidate.tool_calls:
            return Reason.EMPTY_DRAFT
        if discloses(candidate, work.assessment):
            return Reason.INSTRUCTIONS_DISCLOSED
        await Rounds(self.engine, self.judges, self._room).run(work, candidate, follow)
        return None

    async def _repaired(self, work: Work, candidate: Candidate) -> Candidate:
        """The draft once more, as the JSON that it should have been; one that stays as it was does not leave."""
        try:
            with work.timed("draft"):
                done = await repair.repair(
                    work.assessment, candidate, engine=self.engine, max_tokens=self._room.draft_tokens
                )
        except EngineTimeout:
            raise
        except EngineError:
            return candidate
        if done.usage is not None:
            work.spend("draft", done.usage)
        return done.candidate

    async def _chore(self, work: Work, follow: Watcher) -> Reason | None:
        follow.stage("chore")
        with work.timed("chore"):
            work.assessment = await self._fitted(work.assessment)
            done, usage = await chore.do(work.assessment, engine=self.engine)
        work.spend("chore", usage)
        if breaks(work.assessment.enquiry.shape, done):
            return Reason.SCHEMA_UNMET
        if shows_scaffold(done.body, structured=work.assessment.enquiry.shape.structured):
            return Reason.INSTRUCTIONS_DISCLOSED
        work.chore = done if done.body else None
        return None if done.body else Reason.EMPTY_DRAFT

    async def assess(self, enquiry: Enquiry, *, checked: bool = False) -> Assessment:
        """All that is known before a word is drafted, by code alone; `checked`: of an answer that is judged as it is.

        Of a chore no more is known than what the screen says.

        Raises:
            StoreError: nothing can be retrieved.

        """
        assessment = await self._assessed(await asyncio.to_thread(self._screened, enquiry))
        return _unaided(assessment) if checked else assessment

    def _screened(self, enquiry: Enquiry) -> Assessment:
        """Red flags first, since they need nothing and stand when all else fails."""
        screened = self.screen.examine(enquiry.conversation, audience=enquiry.audience)
        flags = screened.flags
        language = language_spoken(enquiry.conversation)
        duty = self.screen.duty(flags, audience=screened.audience, language=language)
        careful = scenario.settle(scenario.CAREFUL, red_flags=flags, audience=screened.audience)
        tools = tuple(neutralise_tool(tool) for tool in enquiry.shape.tools)
        return Assessment(
            enquiry=replace(enquiry, shape=replace(enquiry.shape, tools=tools)),
            red_flags=flags,
            scenario=careful,
            principles=(),
            rubric=(),
            duty=duty,
            language=language,
            writer=screened.audience,
            notices=self._notices(enquiry) | ({Notice.SCREENED_BY_RULES_ALONE} if screened.rules_alone else set()),
        )

    def _notices(self, enquiry: Enquiry) -> frozenset[Notice]:
        notices = set() if self.judges.calibrated else {Notice.JUDGE_UNCALIBRATED}
        if self.abilities.demonstration:
            notices.add(Notice.DEMONSTRATION_MODEL)
        if enquiry.revisions_reduced:
            notices.add(Notice.REVISIONS_REDUCED)
        turns = enquiry.conversation.messages
        if any(harmless(turn) != turn for turn in turns) or any(neutralise_tool(t) != t for t in enquiry.shape.tools):
            notices.add(Notice.CONTROL_TOKENS_NEUTRALISED)
        return frozenset(notices)

    async def _assessed(self, assessment: Assessment) -> Assessment:
        if chore.is_chore(assessment):
            return assessment  # it is drafted from the conversation alone
        enquiry = assessment.enquiry
        hits = await self._consulted(assessment)
        reads, careful = assessment.language == "en", _is_for_care(assessment)
        # What an encoder makes of a language that it does not read is chance: then the careful scenario stands.
        found = hits.scenario if reads else scenario.CAREFUL
        settled = scenario.settle(found, red_flags=assessment.red_flags, audience=assessment.audience)
        chosen = retrieve.select(
            hits,
            scenario=settled,
            limit=enquiry.options.max_principles,
            nearness=self.limits.nearness,
            reads_language=reads,
            careful=careful,
        )
        notices = set(assessment.notices)
        if not reads:
            notices.add(Notice.LANGUAGE_NOT_READ)
        elif retrieve.is_outside_health(hits, nearness=self.limits.nearness, careful=careful):
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
        """What is known of the question; one that says little alone (`Yes.`) is read with what was said before it.

        One that seems to be about something else is read passage by passage, for a question about health in it; one
        of too many passages is taken for one about health.
        """
        enquiry = assessment.enquiry
        consult = partial(
            self.principles.consult,
            families=[flag.family for flag in assessment.red_flags],
            limit=enquiry.options.max_principles,
        )
        said = _said(enquiry)
        hits = await consult(said[0])
        if len(said) > 1 and retrieve.says_little(hits, nearness=self.limits.nearness):
            hits = await consult("\n".join(said[:_RECENT]))
        careful, reads = _is_for_care(assessment), assessment.language == "en"
        if not reads or not retrieve.is_outside_health(hits, nearness=self.limits.nearness, careful=careful):
            return hits
        passages = passages_of(said[0])
        if passages is None:
            return replace(hits, health=0.0)
        found = [await consult(passage) for passage in passages]
        return retrieve.most_clinical(found, nearness=self.limits.nearness) or hits

    async def _fitted(self, assessment: Assessment) -> Assessment:
        enquiry = assessment.enquiry
        budget = max(0, self._context_tokens - self._room.reserve)
        kept = await fit.fit(enquiry, budget=budget, engine=self.engine)
        if kept is enquiry.conversation:
            return assessment
        return replace(
            assessment,
            enquiry=replace(enquiry, conversation=kept),
            notices=assessment.notices | {Notice.CONVERSATION_TRUNCATED},
        )

    def _finished(self, work: Work, trouble: Reason | None) -> Answer:
        # As it was admitted: what is written down of an enquiry is what was sent, whatever part the model could hold.
        assessment = replace(work.assessment, enquiry=work.asked)
        left = (
            release.unjudged(work.chore)
            if work.chore
            else release.release(assessment, work.best, trouble=trouble, duty_id=rubric.DUTY_ID)
        )
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
            provenance=replace(
                self.versions(assessment.principles_digest),
                seed=assessment.enquiry.sampling.seed,
                notices=tuple(sorted(assessment.notices)),
            ),
            tool_calls=left.tool_calls,
            finish_reason=left.finish_reason,
            first=work.first,
            trouble=trouble,
        )

    @property
    def abilities(self) -> Abilities:
        """What the engine was found to do, or UNREACHED: whoever asks for an answer gets one all the same."""
        try:
            return self.engine.abilities
        except EngineUnavailable:
            return UNREACHED

    def versions(self, principles_digest: str) -> Provenance:
        """What an answer would be made with now, from these principles."""
        abilities, judges = self.abilities, self.judges
        return Provenance(
            principles_digest=principles_digest,
            prompts_digest=prompts_digest(),
            model=abilities.model,
            checkpoint_digest=abilities.checkpoint_digest,
            judge=judges.guide.name,
            seed=None,
            service_version=self.service_version,
            accept_judge=judges.accept.name,
            judge_digest=judges.guide.digest,
            accept_judge_digest=judges.accept.digest,
        )


def _said(enquiry: Enquiry) -> list[str]:
    """The user's turns, the latest first."""
    return [turn.content for turn in reversed(enquiry.conversation.turns) if turn.role is Role.USER]


def _unaided(assessment: Assessment) -> Assessment:
    """Of an answer that does not open with the duty's words."""
    return replace(assessment, rubric=rubric.unaided(assessment.rubric, audience=assessment.audience))


def _is_for_care(assessment: Assessment) -> bool:
    """Whether nothing may be taken for a question outside health: a sign of danger, or words of no known language."""
    recent = "\n".join(_said(assessment.enquiry)[:_RECENT])
    return bool(assessment.red_flags) or not is_plain_english(recent)
