"""POST /v1/completions: a prompt is what a user says, and the completion a guarded answer."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from service.domain.enquiry import Enquiry
from service.gateway.answering import answering_of
from service.gateway.connected import while_connected
from service.gateway.dialect import event_stream
from service.gateway.documented import documented
from service.gateway.enquiring import PURPOSE, Wanted, enquire
from service.gateway.errors import json_response
from service.gateway.messages import MessageBody
from service.gateway.middleware.tenancy import tenant_of
from service.gateway.reading import read
from service.gateway.sampling_body import sampling_of
from service.gateway.served_model import check_model
from service.gateway.text_completion_body import TextCompletionBody
from service.gateway.text_completion_reply import TextChunks, TextCompletionReply, text_completion_reply

router = APIRouter(prefix="/v1", tags=["openai"])


@router.post("/completions", **documented(TextCompletionReply, TextCompletionBody, stream=True))
async def complete(request: Request) -> Response:
    """Answer a prompt as OpenAI's completions do, guarded as POST /chat is."""
    body = await read(request, TextCompletionBody)
    return await answer_prompt(request, body, model=body.model)


async def answer_prompt(request: Request, body: TextCompletionBody, *, model: str | None) -> Response:
    """The reply to a prompt for this model, whole or as a stream."""
    check_model(request, model)
    answering = answering_of(request)
    enquiry = _enquire(request, body)
    if body.stream:
        desk = answering.desk
        served, empty_deltas = desk.orchestrator.abilities.model, desk.limits.empty_deltas
        chunks = TextChunks(enquiry.id, served, usage=body.wants_usage, empty_deltas=empty_deltas)
        return event_stream(answering, enquiry, chunks)
    given = await while_connected(request.receive, answering.answer(enquiry))
    return json_response(text_completion_reply(given))


def _enquire(request: Request, body: TextCompletionBody) -> Enquiry:
    return enquire(
        [MessageBody(role="user", content=body.prompt)],
        body.clinalign,
        tenant=tenant_of(request),
        limits=answering_of(request).desk.limits,
        at="clinalign.",
        messages_at="prompt",
        wanted=Wanted(
            sampling_of(body, max_tokens=body.max_tokens),
            user=body.user or "",
            purpose=request.headers.get(PURPOSE),
        ),
    )
