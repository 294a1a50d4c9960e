"""POST /v1/responses: what OpenAI's newer clients ask, guarded as POST /chat is."""

import time
from dataclasses import replace
from functools import partial

from fastapi import APIRouter, Request
from starlette.responses import Response

from service.domain.enquiry import Enquiry
from service.domain.errors import GatewayError
from service.gateway.answering import answering_of
from service.gateway.connected import while_connected
from service.gateway.dialect import event_stream
from service.gateway.documented import documented
from service.gateway.enquiring import PURPOSE, enquire
from service.gateway.errors import json_response
from service.gateway.middleware.tenancy import tenant_of
from service.gateway.reading import read
from service.gateway.responses_body import ResponsesBody, wanted_of
from service.gateway.responses_errors import in_their_words
from service.gateway.responses_input import joined, turns_of
from service.gateway.responses_reply import ResponseReply, begun, finished
from service.gateway.responses_stream import ResponseEvents
from service.gateway.served_model import check_effort, check_model

router = APIRouter(prefix="/v1", tags=["openai"])


@router.post("/responses", **documented(ResponseReply, ResponsesBody, stream=True))
async def respond(request: Request) -> Response:
    """Answer as OpenAI's responses do, guarded as POST /chat is. Nothing is stored."""
    answering = answering_of(request)
    body = await read(request, ResponsesBody)
    check_model(request, body.model)
    check_effort(request, body.reasoning.effort if body.reasoning else None, at="reasoning.effort")
    asked, items = _enquire(request, body)
    reply = begun(body, chat_id=asked.id, created=int(time.time()), model=answering.desk.orchestrator.abilities.model)
    if body.stream:
        events = ResponseEvents(reply, items, empty_deltas=answering.desk.limits.empty_deltas)
        return event_stream(answering, asked, events, worded=partial(in_their_words, items=items))
    try:
        given = await while_connected(request.receive, answering.answer(asked))
    except GatewayError as error:
        raise in_their_words(error, items=items) from None
    return json_response(finished(reply, given, items=items))


def _enquire(request: Request, body: ResponsesBody) -> tuple[Enquiry, tuple[int, ...]]:
    """The enquiry, and the items that its turns began with."""
    enquiry = enquire(
        turns_of(body.input),
        body.clinalign,
        tenant=tenant_of(request),
        limits=answering_of(request).desk.limits,
        at="clinalign.",
        messages_at="input",
        wanted=replace(wanted_of(body), purpose=request.headers.get(PURPOSE)),
    )
    whole = joined(enquiry.conversation, instructions=body.instructions)
    return replace(enquiry, conversation=whole.conversation), whole.items
