"""POST /v1/chat/completions and GET /v1/models: what OpenAI's clients know, with nothing unjudged behind it."""

from dataclasses import replace

from fastapi import APIRouter, Request
from starlette.responses import Response
from typing_extensions import TypedDict

from service.domain.enquiry import Enquiry
from service.gateway.answering import answering_of
from service.gateway.connected import while_connected
from service.gateway.dialect import event_stream
from service.gateway.documented import documented
from service.gateway.enquiring import PURPOSE, enquire
from service.gateway.errors import json_response
from service.gateway.middleware.tenancy import tenant_of
from service.gateway.openai_body import CompletionBody, wanted_of
from service.gateway.openai_reply import Chunks, CompletionReply, completion_reply
from service.gateway.reading import read
from service.gateway.served_model import check_effort, check_model

router = APIRouter(prefix="/v1", tags=["openai"])


class ModelReply(TypedDict):
    """A model. `demonstration` models are not for care."""

    id: str
    object: str
    created: int
    owned_by: str
    max_model_len: int
    demonstration: bool


class ModelsReply(TypedDict):
    """The models that can be asked for."""

    object: str
    data: list[ModelReply]


@router.post("/chat/completions", **documented(CompletionReply, CompletionBody, stream=True))
async def complete(request: Request) -> Response:
    """Answer as OpenAI's chat completions do, guarded as POST /chat is."""
    body = await read(request, CompletionBody)
    return await answer_completion(request, body, model=body.model)


async def answer_completion(request: Request, body: CompletionBody, *, model: str | None) -> Response:
    """The reply to a completion of this model, whole or as a stream."""
    check_model(request, model)
    check_effort(request, body.reasoning_effort, at="reasoning_effort")
    answering, parallel = answering_of(request), body.parallel_tool_calls is not False
    enquiry = _enquire(request, body)
    if body.stream:
        served = answering.desk.orchestrator.abilities.model
        empty_deltas = answering.desk.limits.empty_deltas
        chunks = Chunks(enquiry.id, served, usage=body.wants_usage, parallel=parallel, empty_deltas=empty_deltas)
        return event_stream(answering, enquiry, chunks)
    given = await while_connected(request.receive, answering.answer(enquiry))
    return json_response(completion_reply(given, parallel=parallel))


@router.get("/models", **documented(ModelsReply))
async def models(request: Request) -> Response:
    """The one model that answers here."""
    return json_response({"object": "list", "data": [_model(request)]})


@router.get("/models/{model_id:path}", **documented(ModelReply))
async def model(request: Request, model_id: str) -> Response:
    """One model."""
    check_model(request, model_id)
    return json_response(_model(request))


def _enquire(request: Request, body: CompletionBody) -> Enquiry:
    return enquire(
        body.messages,
        body.clinalign,
        tenant=tenant_of(request),
        limits=answering_of(request).desk.limits,
        at="clinalign.",
        messages_at="messages",
        wanted=replace(wanted_of(body), purpose=request.headers.get(PURPOSE)),
    )


def _model(request: Request) -> ModelReply:
    abilities = answering_of(request).desk.orchestrator.engine.abilities
    return {
        "id": abilities.model,
        "object": "model",
        "created": 0,
        "owned_by": "clinalign",
        "max_model_len": abilities.context_tokens,
        "demonstration": abilities.demonstration,
    }
