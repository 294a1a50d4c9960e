"""Azure's paths: in the older ones the deployment is the model, and an api-version must be given.

The newer ones, /openai/v1/..., are those of /v1, and `web` serves them as such.
"""

from fastapi import APIRouter, Request
from starlette.responses import Response

from service.domain.errors import InvalidRequest
from service.gateway.documented import documented
from service.gateway.embeddings import EmbeddingsBody, EmbeddingsReply, encode
from service.gateway.openai import ModelsReply, answer_completion
from service.gateway.openai import models as listed
from service.gateway.openai_body import CompletionBody
from service.gateway.openai_reply import CompletionReply
from service.gateway.reading import read
from service.gateway.responses import respond as answer_items
from service.gateway.responses_body import ResponsesBody
from service.gateway.responses_reply import ResponseReply
from service.gateway.text_completion import answer_prompt
from service.gateway.text_completion_body import TextCompletionBody
from service.gateway.text_completion_reply import TextCompletionReply

router = APIRouter(prefix="/openai/deployments/{deployment}", tags=["openai"])
plain = APIRouter(prefix="/openai", tags=["openai"])
API_VERSION = "api-version"
_QUERY = {
    "name": API_VERSION,
    "in": "query",
    "required": True,
    "description": "Any version: there is one interface here, and it is that of the same path under /v1.",
    "schema": {"type": "string", "minLength": 1},
}


@router.post("/chat/completions", **documented(CompletionReply, CompletionBody, stream=True, parameters=(_QUERY,)))
async def complete(request: Request, deployment: str) -> Response:
    """Answer as POST /v1/chat/completions does, for clients that are set up for Azure."""
    _check_version(request)
    return await answer_completion(request, await read(request, CompletionBody), model=deployment)


@router.post("/completions", **documented(TextCompletionReply, TextCompletionBody, stream=True, parameters=(_QUERY,)))
async def complete_text(request: Request, deployment: str) -> Response:
    """Answer as POST /v1/completions does."""
    _check_version(request)
    return await answer_prompt(request, await read(request, TextCompletionBody), model=deployment)


@router.post("/embeddings", **documented(EmbeddingsReply, EmbeddingsBody, parameters=(_QUERY,)))
async def embed(request: Request, deployment: str) -> Response:
    """Encode as POST /v1/embeddings does."""
    _check_version(request)
    return await encode(request, await read(request, EmbeddingsBody), model=deployment)


@plain.post("/responses", **documented(ResponseReply, ResponsesBody, stream=True, parameters=(_QUERY,)))
async def respond(request: Request) -> Response:
    """Answer as POST /v1/responses does; the body names the model."""
    _check_version(request)
    return await answer_items(request)


@plain.get("/models", **documented(ModelsReply, parameters=(_QUERY,)))
async def models(request: Request) -> Response:
    """The one model that answers here."""
    _check_version(request)
    return await listed(request)


def _check_version(request: Request) -> None:
    if not request.query_params.get(API_VERSION):
        raise InvalidRequest(
            f"{API_VERSION}: is missing from the address: add ?{API_VERSION}=2024-10-21",
            param=API_VERSION,
            code="missing_api_version",
        )
