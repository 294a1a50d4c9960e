"""GET /principles, GET /principles/{id}, POST /principles/search: what answers are held to, for a reader."""

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response
from typing_extensions import TypedDict

from service.domain.errors import NotFound
from service.gateway.answering import answering_of
from service.gateway.bodies import SearchBody
from service.gateway.connected import while_connected
from service.gateway.documented import documented
from service.gateway.errors import json_response
from service.gateway.reading import read

router = APIRouter(prefix="/principles", tags=["principles"])


class PrinciplesReply(TypedDict):
    """Principles as the store tells them; those that were searched carry `similarity`."""

    principles: list[dict[str, Any]]


@router.get("", **documented(PrinciplesReply))
async def everything(request: Request) -> Response:
    """All principles."""
    return json_response({"principles": list(answering_of(request).desk.shelf.all())})


@router.get("/{principle_id}", **documented(dict[str, Any]))
async def one(request: Request, principle_id: str) -> Response:
    """One principle."""
    principle = answering_of(request).desk.shelf.one(principle_id)
    if principle is None:
        raise NotFound("no principle has this id: GET /principles lists them", param="principle_id")
    return json_response(principle)


@router.post("/search", **documented(PrinciplesReply, SearchBody))
async def search(request: Request) -> Response:
    """The principles nearest to a query."""
    body = await read(request, SearchBody)
    searching = _search(request, body)
    return json_response({"principles": await while_connected(request.receive, searching)})


async def _search(request: Request, body: SearchBody) -> list[Any]:
    answering = answering_of(request)
    async with answering.wicket.passed():
        return list(await answering.desk.shelf.search(body.query, limit=body.limit))
