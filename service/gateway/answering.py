"""An enquiry becomes what is given back: quota, cache, room, pipeline, ledger and metrics, in that order.

Whatever is refused on the way, the refusal tells somebody in danger what to do now.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import orjson
from starlette.requests import Request

from service.domain.answer import REFUSALS, Answer, Outcome
from service.domain.assessment import Danger
from service.domain.conversation import ToolCall
from service.domain.enquiry import Enquiry, Options
from service.domain.errors import PolicyOutcome
from service.gateway.account import count, entry, keyed_digest, log, repeat_entry
from service.gateway.desk import Desk
from service.gateway.gate import Gate, Wicket
from service.gateway.lookout import Lookout
from service.gateway.replies import STAGES, ChatReply, chat_reply, usage_reply
from service.observability.logs import event
from service.pipeline.watching import Watcher
from service.prompts.digest import prompts_digest


@dataclass(frozen=True, slots=True)
class Given:
    """What is given back: the JSON of POST /chat, and what only the OpenAI route says."""

    reply: ChatReply
    finish_reason: str = "stop"
    tool_calls: tuple[ToolCall, ...] = ()


_OK = 200
Work = Callable[[Watcher | None], Coroutine[Any, Any, Given]]


@dataclass(frozen=True, slots=True)
class Answering:
    """The way of every enquiry that costs model calls. What costs none of them passes the `wicket`."""

    desk: Desk
    gate: Gate
    wicket: Wicket
    lookout: Lookout

    @asynccontextmanager
    async def admitted(self, enquiry: Enquiry) -> AsyncIterator[Work]:
        """The right to have this enquiry answered, once, inside the context.

        Raises:
            QuotaExceeded: the tenant has used up its minute.
            Overloaded: the gateway holds as many requests as it can.
            PolicyOutcome: no answer passed, and the tenant wants that as an error.

        """
        async with self.lookout.over(enquiry.conversation, audience=enquiry.audience):
            await self.desk.quotas.take(enquiry.tenant)
            if repeat := await self._repeat(enquiry):
                yield repeat
                return
            with self.gate.ticket():

                async def work(watcher: Watcher | None) -> Given:
                    async with self.gate.place(enquiry.deadline):
                        answer = await self.desk.orchestrator.answer(self._eased(enquiry), watcher=watcher)
                    given = await self._accounted(answer)
                    await self._keep(answer, given)
                    _refuse_by_policy(answer, given)
                    return given

                yield work

    async def answer(self, enquiry: Enquiry) -> Given:
        """The whole way, with nobody watching."""
        async with self.admitted(enquiry) as work:
            return await work(None)

    async def check(self, enquiry: Enquiry, text: str, *, revise: bool) -> Given:
        """The same for an answer that some other model wrote; without `revise` it is judged and left as it is."""
        if not revise:
            enquiry = replace(enquiry, options=_judged_only(enquiry.options))
        async with self.lookout.over(enquiry.conversation, audience=enquiry.audience):
            await self.desk.quotas.take(enquiry.tenant)
            with self.gate.ticket():
                async with self.gate.place(enquiry.deadline):
                    answer = await self.desk.orchestrator.check(self._eased(enquiry, least=1), text)
                return await self._accounted(answer)

    def _eased(self, enquiry: Enquiry, *, least: int = 0) -> Enquiry:
        """With less revision where many wait; `least` rounds are left, unless fewer were asked for."""
        asked = enquiry.options.max_revisions
        if (most := max(self.gate.revisions(asked), min(asked, least))) == asked:
            return enquiry
        return replace(enquiry, options=replace(enquiry.options, max_revisions=most), revisions_reduced=True)

    async def _accounted(self, answer: Answer) -> Given:
        """Written down before it leaves."""
        await self.desk.ledger.record(entry(answer, key=self.desk.audit_key))
        count(self.desk.metrics, answer)
        log(answer)
        # What a revision changed is found word by word, which takes seconds for the worst of texts.
        reply = await asyncio.to_thread(chat_reply, answer)
        return Given(reply, answer.finish_reason, answer.tool_calls)

    async def _repeat(self, enquiry: Enquiry) -> Work | None:
        """The work of giving a cached answer again, where there is one."""
        if self.desk.cache is None:
            return None
        kept = await self.desk.cache.get(self._key(enquiry))
        self.desk.metrics.cache.labels("miss" if kept is None else "hit").inc()
        if kept is None:
            return None
        reply: ChatReply = orjson.loads(kept)

        async def work(_: Watcher | None) -> Given:
            await self.desk.ledger.record(repeat_entry(enquiry, of=reply["id"], key=self.desk.audit_key))
            event("repeated", id=enquiry.id, tenant=enquiry.tenant.name, of=reply["id"])
            return Given(_again(reply, enquiry))

        return work

    async def _keep(self, answer: Answer, given: Given) -> None:
        """Only what was released whole, mended as asked, and says all in its text, is given again."""
        if answer.assessment.enquiry.revisions_reduced:
            return
        whole = answer.outcome is Outcome.RELEASED and given.finish_reason == "stop" and not given.tool_calls
        if self.desk.cache is not None and whole:
            await self.desk.cache.put(self._key(answer.assessment.enquiry), orjson.dumps(given.reply))

    def _key(self, enquiry: Enquiry) -> str:
        """A digest of all that the answer depends on."""
        asked = (enquiry.tenant, enquiry.conversation, enquiry.audience, enquiry.options, enquiry.sampling)
        pipeline = self.desk.orchestrator
        made_with = (
            self.desk.edition(),
            prompts_digest(),
            pipeline.abilities,
            [(judge.name, judge.digest) for judge in (pipeline.judges.guide, pipeline.judges.accept)],
            pipeline.limits,
            (pipeline.screen.region, pipeline.screen.language),
            self.desk.service_version,
        )
        return keyed_digest(self.desk.audit_key, "cache", (asked, enquiry.shape, enquiry.purpose, made_with))


def answering_of(request: Request) -> Answering:
    """The one of this web application."""
    answering: Answering = request.app.state.answering
    return answering


def _refuse_by_policy(answer: Answer, given: Given) -> None:
    """Tell a policy outcome as an error, where the tenant wants it so. Its duty stands in the error's message."""
    assessment = answer.assessment
    status = assessment.enquiry.tenant.policy_status
    if answer.outcome not in REFUSALS or status == _OK:
        return
    said = f"no answer passed its safety checks: {answer.reason.value if answer.reason else answer.outcome.value}"
    error = PolicyOutcome(said, status=status, proof=given.reply)
    error.danger = Danger(assessment.red_flags, assessment.duty) if assessment.duty else None
    raise error


def _judged_only(options: Options) -> Options:
    return replace(options, max_revisions=0)


def _again(reply: ChatReply, enquiry: Enquiry) -> ChatReply:
    """A cached answer under its new name; it took no model call."""
    return {
        **reply,
        "id": enquiry.id,
        "created": int(time.time()),
        "usage": usage_reply({}),
        "timings_ms": dict.fromkeys(STAGES, 0.0),
    }
