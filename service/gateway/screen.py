"""POST /screen: red flags and scenario of a conversation, without a model call."""

import asyncio

from fastapi import APIRouter, Request
from starlette.responses import Response
from typing_extensions import TypedDict

from service.domain.assessment import Notice, Scenario
from service.domain.conversation import Conversation
from service.domain.enquiry import Audience
from service.domain.errors import StoreError
from service.gateway.answering import Answering, answering_of
from service.gateway.bodies import ScreenBody
from service.gateway.connected import while_connected
from service.gateway.documented import documented
from service.gateway.errors import json_response
from service.gateway.messages import conversation_of
from service.gateway.middleware.tenancy import tenant_of
from service.gateway.reading import read
from service.gateway.replies import RedFlagReply, ScenarioReply, red_flag_reply, scenario_reply
from service.pipeline.orchestrator import Orchestrator
from service.pipeline.scenario import CAREFUL, settle
from service.pipeline.screen import language_spoken

router = APIRouter(tags=["answers"])


class ScreenReply(TypedDict):
    """`scenario` is null when the principles' store cannot be used: red flags need nothing and come all the same.

    `notices` says where the learned head failed and the rules stand alone, and where the language is not read, so that
    `scenario` is what is assumed with care.
    """

    red_flags: list[RedFlagReply]
    scenario: ScenarioReply | None
    notices: list[str]


@router.post("/screen", **documented(ScreenReply, ScreenBody))
async def screen(request: Request) -> Response:
    """Look for signs that someone is in danger now."""
    answering = answering_of(request)
    body = await read(request, ScreenBody)
    conversation = conversation_of(body.messages)
    audience = Audience(body.audience) if body.audience else None
    async with answering.lookout.over(conversation, audience=audience):
        await answering.desk.quotas.take(tenant_of(request))
        looking = _look(answering, conversation, audience=audience)
        return json_response(await while_connected(request.receive, looking))


async def _look(answering: Answering, conversation: Conversation, *, audience: Audience | None) -> ScreenReply:
    """The rules are CPU work that grows with the text, so they leave the event loop."""
    orchestrator = answering.desk.orchestrator
    async with answering.wicket.passed():
        screened = await asyncio.to_thread(orchestrator.screen.examine, conversation, audience=audience)
        flags = screened.flags
        reads = language_spoken(conversation) == "en"
        found = await _found(orchestrator, conversation) if reads else CAREFUL
    return {
        "red_flags": [red_flag_reply(flag) for flag in flags],
        "scenario": scenario_reply(settle(found, red_flags=flags, audience=screened.audience)) if found else None,
        "notices": [
            *([Notice.SCREENED_BY_RULES_ALONE] if screened.rules_alone else []),
            *([] if reads else [Notice.LANGUAGE_NOT_READ]),
        ],
    }


async def _found(orchestrator: Orchestrator, conversation: Conversation) -> Scenario | None:
    try:
        return (await orchestrator.principles.consult(conversation.question, families=[], limit=1)).scenario
    except StoreError:
        return None
