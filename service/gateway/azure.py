"""Azure's paths for chat completions: the deployment in the path is the model, and an api-version must be given."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from service.domain.errors import InvalidRequest
from service.gateway.documented import documented
from service.gateway.openai import answer_completion
from service.gateway.openai_body import CompletionBody
from service.gateway.openai_reply import CompletionReply
from service.gateway.reading import read

router = APIRouter(prefix="/openai/deployments/{deployment}", tags=["openai"])
API_VERSION = "api-version"
_QUERY = {
    "name": API_VERSION,
    "in": "query",
    "required": True,
    "description": "Any version: there is one interface here, and it is that of POST /v1/chat/completions.",
    "schema": {"type": "string", "minLength": 1},
}


@router.post("/chat/completions", **documented(CompletionReply, CompletionBody, stream=True, parameters=(_QUERY,)))
async def complete(request: Request, deployment: str) -> Response:
    """Answer as POST /v1/chat/completions does, for clients that are set up for Azure."""
    if not request.query_params.get(API_VERSION):
        raise InvalidRequest(
            f"{API_VERSION}: is missing from the address: add ?{API_VERSION}=2024-10-21",
            param=API_VERSION,
            code="missing_api_version",
        )
    body = await read(request, CompletionBody)
    return await answer_completion(request, body, model=deployment)
