"""POST /screen: red flags and scenario of a conversation, without a model call."""

import asyncio

from fastapi import APIRouter, Request
from starlette.responses import Response
from typing_extensions import TypedDict

from service.domain.assessment import Notice, RedFlag, Scenario
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
from service.pipeline.scenario import settle

router = APIRouter(tags=["answers"])


class ScreenReply(TypedDict):
    """`scenario` is null when the principles' store cannot be used: red flags need nothing and come all the same.

    `notices` says where the learned head failed and the rules stand alone.
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
        scenario = await _scenario(orchestrator, conversation, flags=flags, audience=audience)
    return {
        "red_flags": [red_flag_reply(flag) for flag in flags],
        "scenario": scenario_reply(scenario) if scenario else None,
        "notices": [Notice.SCREENED_BY_RULES_ALONE] if screened.rules_alone else [],
    }


async def _scenario(
    orchestrator: Orchestrator, conversation: Conversation, *, flags: tuple[RedFlag, ...], audience: Audience | None
) -> Scenario | None:
    try:
        hits = await orchestrator.principles.consult(conversation.question, families=[], limit=1)
    except StoreError:
        return None
    return settle(hits.scenario, red_flags=flags, audience=audience)
