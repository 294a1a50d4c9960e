"""POST /chat: a question in, a judged answer out, at once or as a stream of events."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from fastapi import APIRouter, Request
from starlette.responses import Response

from service.domain.enquiry import Enquiry
from service.domain.errors import GatewayError
from service.gateway import sse
from service.gateway.answering import Answering, Given, answering_of
from service.gateway.bodies import ChatBody
from service.gateway.connected import while_connected
from service.gateway.documented import documented
from service.gateway.enquiring import PURPOSE, Wanted, enquire
from service.gateway.errors import error_reply, json_response
from service.gateway.following import Follower, Provisional, Signal, Silence, Stage
from service.gateway.middleware.tenancy import tenant_of
from service.gateway.reading import read
from service.gateway.replies import ChatReply

router = APIRouter(tags=["answers"])


@router.post("/chat", **documented(ChatReply, ChatBody, stream=True))
async def chat(request: Request) -> Response:
    """Answer a conversation: drafted, judged, revised where it fell short, and shown with its proof."""
    answering = answering_of(request)
    body = await read(request, ChatBody)
    enquiry = enquire(
        body.messages,
        body,
        tenant=tenant_of(request),
        limits=answering.desk.limits,
        wanted=Wanted(purpose=request.headers.get(PURPOSE)),
    )
    if body.stream:
        provisional = body.provisional and enquiry.tenant.provisional_drafts
        events = _events(answering, enquiry, provisional=provisional)
        return sse.EventStream(events, failed=_failed)
    given = await while_connected(request.receive, answering.answer(enquiry))
    return json_response(given.reply)


async def _events(answering: Answering, enquiry: Enquiry, *, provisional: bool) -> AsyncGenerator[bytes]:
    follower = Follower(provisional_drafts=provisional)
    async with aclosing(follower.follow(answering, enquiry)) as signals:
        async for signal in signals:
            for piece in _told(signal, empty_deltas=answering.desk.limits.empty_deltas):
                yield piece


def _told(signal: Signal, *, empty_deltas: bool) -> tuple[bytes, ...]:
    match signal:
        case Stage(name):
            return (sse.event({"stage": name}, name="stage"),)
        case Provisional(text):
            return (sse.event({"text": text}, name="provisional"),)
        case Silence():
            return (_delta("") if empty_deltas else sse.comment("checking"),)
        case Given(reply):
            return (*sse.deltas(reply["answer"], _delta), sse.event(reply, name="answer"))


def _delta(word: str) -> bytes:
    return sse.event({"text": word}, name="delta")


def _failed(error: GatewayError) -> bytes:
    return sse.event(error_reply(error), name="error")
