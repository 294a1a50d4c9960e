"""POST /v1/chat/completions and GET /v1/models: what OpenAI's clients know, with nothing unjudged behind it."""

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing

from fastapi import APIRouter, Request
from starlette.responses import Response
from typing_extensions import TypedDict

from service.domain.enquiry import Enquiry
from service.domain.errors import GatewayError, InvalidRequest, NotFound
from service.gateway import sse
from service.gateway.answering import Answering, Given, answering_of
from service.gateway.connected import while_connected
from service.gateway.documented import documented
from service.gateway.enquiring import enquire
from service.gateway.errors import error_reply, json_response
from service.gateway.following import Follower, Signal
from service.gateway.middleware.tenancy import tenant_of
from service.gateway.openai_body import CompletionBody, wanted_of
from service.gateway.openai_reply import Chunks, CompletionReply, completion_reply
from service.gateway.reading import read
from service.pipeline.orchestrator import UNREACHED

router = APIRouter(prefix="/v1", tags=["openai"])
# Names for the served model that spare a caller from asking which one it is.
ALIASES = frozenset({"clinalign", "default"})


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
    _check_model(request, model)
    answering = answering_of(request)
    enquiry = _enquire(request, body)
    if body.stream:
        return sse.EventStream(_events(answering, enquiry, body), failed=_failed)
    given = await while_connected(request.receive, answering.answer(enquiry))
    return json_response(completion_reply(given, parallel=body.parallel_tool_calls is not False))


@router.get("/models", **documented(ModelsReply))
async def models(request: Request) -> Response:
    """The one model that answers here."""
    return json_response({"object": "list", "data": [_model(request)]})


@router.get("/models/{model_id:path}", **documented(ModelReply))
async def model(request: Request, model_id: str) -> Response:
    """One model."""
    _check_model(request, model_id)
    return json_response(_model(request))


@router.post("/completions", **documented(CompletionReply))
@router.post("/responses", **documented(CompletionReply))
async def not_yet(_: Request) -> Response:
    """Not served: nothing passes through here unguarded."""
    raise NotFound("this route is not served yet: use POST /v1/chat/completions, which is guarded", code="not_served")


def _enquire(request: Request, body: CompletionBody) -> Enquiry:
    if body.stream_options is not None and not body.stream:
        raise InvalidRequest("stream_options: only a stream has them: set stream to true", param="stream_options")
    return enquire(
        body.messages,
        body.clinalign,
        tenant=tenant_of(request),
        limits=answering_of(request).desk.limits,
        at="clinalign.",
        messages_at="messages",
        wanted=wanted_of(body),
    )


async def _events(answering: Answering, enquiry: Enquiry, body: CompletionBody) -> AsyncGenerator[bytes]:
    """The role at once; then comments while the answer is checked; then the answer."""
    chunks = Chunks(
        enquiry.id,
        answering.desk.orchestrator.abilities.model,
        usage=bool(body.stream_options and body.stream_options.include_usage),
        parallel=body.parallel_tool_calls is not False,
    )
    async with aclosing(Follower().follow(answering, enquiry)) as signals:
        first = await anext(signals)
        yield chunks.role()
        for piece in _told(chunks, first):
            yield piece
        async for signal in signals:
            for piece in _told(chunks, signal):
                yield piece


def _told(chunks: Chunks, signal: Signal) -> Iterable[bytes]:
    """A comment for whatever is not the answer: the stream stays open, and says nothing."""
    return chunks.answer(signal) if isinstance(signal, Given) else (sse.comment("checking"),)


def _failed(error: GatewayError) -> bytes:
    return sse.event(error_reply(error))


def _check_model(request: Request, name: str | None) -> None:
    served = answering_of(request).desk.orchestrator.abilities
    # Which model an engine has that was not reached nobody knows; the tenant's policy answers meanwhile.
    if name is not None and name not in {*ALIASES, served.model} and served is not UNREACHED:
        raise NotFound(f"no such model: {served.model} answers here", param="model", code="model_not_found")


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
