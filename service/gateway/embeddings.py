"""POST /v1/embeddings: texts become vectors of the encoder that the principles are searched with."""

import base64
import struct
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BeforeValidator, Field, WithJsonSchema
from starlette.responses import Response
from typing_extensions import TypedDict

from service.domain.errors import InvalidRequest, NotFound
from service.gateway.answering import answering_of
from service.gateway.connected import while_connected
from service.gateway.documented import documented
from service.gateway.errors import json_response
from service.gateway.messages import wrong
from service.gateway.middleware.tenancy import tenant_of
from service.gateway.ports import Embedder
from service.gateway.reading import Body, read
from service.gateway.served_model import ALIASES
from service.gateway.treated import honoured, taken

router = APIRouter(prefix="/v1", tags=["openai"])
MAX_INPUTS = 256
_STRINGS = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": MAX_INPUTS}


def _texts(value: object) -> object:
    """One text or several; tokens are refused: their numbers mean something to one tokenizer alone."""
    listed = [value] if isinstance(value, str) else value
    if isinstance(listed, list) and any(isinstance(item, int | list) for item in listed):
        raise wrong("", "send text: tokens of another model's tokenizer mean nothing here")
    return listed


Inputs = Annotated[
    Annotated[list[Annotated[str, Field(min_length=1, pattern=r"\S")]], Field(min_length=1, max_length=MAX_INPUTS)],
    BeforeValidator(_texts),
    WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1}, _STRINGS]}),
]


class EmbeddingsBody(Body):
    """Embeddings as OpenAI documents them. `dimensions` may say what the encoder gives, and nothing else."""

    input: Inputs = honoured(f"up to {MAX_INPUTS} texts; tokens are refused, and a text that is too long", ...)
    model: str | None = honoured(
        "the encoder's name, `default` or `clinalign`, or nothing; another is a 404", max_length=256
    )
    encoding_format: Literal["float", "base64"] | None = honoured("numbers, or little-endian 32-bit floats in base64")
    dimensions: int | None = honoured("the encoder's own number; any other is refused")
    user: str | None = taken("nothing is written down of an embedding")


class EmbeddingObject(TypedDict):
    """One vector: numbers, or little-endian 32-bit floats in base64."""

    object: str
    index: int
    embedding: list[float] | str


class EmbeddingUsage(TypedDict):
    """Tokens that were read."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsReply(TypedDict):
    """One vector an input, in their order; each of length one."""

    object: str
    data: list[EmbeddingObject]
    model: str
    usage: EmbeddingUsage


@router.post("/embeddings", **documented(EmbeddingsReply, EmbeddingsBody))
async def embed(request: Request) -> Response:
    """Encode texts. Nothing is generated, so there is nothing to judge."""
    body = await read(request, EmbeddingsBody)
    return await encode(request, body, model=body.model)


async def encode(request: Request, body: EmbeddingsBody, *, model: str | None) -> Response:
    """The vectors of this model."""
    answering = answering_of(request)
    desk = answering.desk
    _check(body, desk.embedder, model=model)
    await desk.quotas.take(tenant_of(request))

    async def encoded() -> EmbeddingsReply:
        async with answering.wicket.passed():
            return await _reply(body, desk.embedder)

    return json_response(await while_connected(request.receive, encoded()))


def _check(body: EmbeddingsBody, embedder: Embedder, *, model: str | None) -> None:
    if model is not None and model not in {*ALIASES, embedder.name}:
        raise NotFound(f"no such model: {embedder.name} encodes here", param="model", code="model_not_found")
    if body.dimensions not in {None, embedder.dimension}:
        raise InvalidRequest(f"dimensions: this encoder gives {embedder.dimension}", param="dimensions")


async def _reply(body: EmbeddingsBody, embedder: Embedder) -> EmbeddingsReply:
    """Every text is counted before the first is encoded: a list with one that is too long is refused whole."""
    tokens = await _counted(body.input, embedder)
    vectors = [await embedder.embed(text) for text in body.input]
    written: Any = _in_base64 if body.encoding_format == "base64" else _in_numbers
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": written(vector)}
            for index, vector in enumerate(vectors)
        ],
        "model": embedder.name,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


async def _counted(texts: Sequence[str], embedder: Embedder) -> int:
    total = 0
    for index, text in enumerate(texts):
        count = await embedder.count(text)
        if count > embedder.max_tokens:
            raise InvalidRequest(
                f"input[{index}]: has {count} tokens, and this encoder reads {embedder.max_tokens}: send it in pieces",
                param=f"input[{index}]",
                code="context_length_exceeded",
            )
        total += count
    return total


def _in_base64(vector: bytes) -> str:
    return base64.b64encode(vector).decode()


def _in_numbers(vector: bytes) -> list[float]:
    return list(struct.unpack(f"<{len(vector) // 4}f", vector))
