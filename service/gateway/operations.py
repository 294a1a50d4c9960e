"""GET /healthz, /readyz, /metrics and /audit/{id}: what operators and their machines ask."""

from typing import Any

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response
from typing_extensions import TypedDict

from service.domain.errors import NotFound
from service.gateway.answering import answering_of
from service.gateway.documented import documented
from service.gateway.doors import doors_of
from service.gateway.enquiring import CHAT
from service.gateway.errors import json_response
from service.gateway.middleware.tenancy import tenant_of

router = APIRouter(tags=["operations"])
# OpenAI's forms of an answer's id.
_FORMS = ("chatcmpl-", "cmpl-", "resp_")


class HealthReply(TypedDict):
    """The process runs."""

    status: str
    version: str


class ReadyReply(TypedDict):
    """Whether answers can be given, and if not, why."""

    status: str
    reasons: list[str]


@router.get("/healthz", **documented(HealthReply))
async def healthz(request: Request) -> Response:
    """Whether the process runs."""
    return json_response({"status": "ok", "version": answering_of(request).desk.service_version})


@router.get("/readyz", **documented(ReadyReply))
async def readyz(request: Request) -> Response:
    """Whether answers can be given: 200, or 503 with the reasons why not."""
    is_ready, reasons = answering_of(request).desk.ready()
    if doors_of(request).is_closing:
        is_ready, reasons = False, ["the gateway is ending", *reasons]
    reply: ReadyReply = {"status": "ready" if is_ready else "not_ready", "reasons": list(reasons)}
    return json_response(reply, status=200 if is_ready else 503)


@router.get("/metrics", response_class=Response)
async def metrics(request: Request) -> Response:
    """Counts and times in Prometheus's text format."""
    return Response(answering_of(request).desk.metrics.exposition(), media_type=CONTENT_TYPE_LATEST)


@router.get("/audit/{entry_id}", **documented(dict[str, Any]))
async def audit(request: Request, entry_id: str) -> Response:
    """The ledger's entry of one answer, to the tenant that got it and to operators."""
    found = await answering_of(request).desk.ledger.find(named_in_ledger(entry_id))
    tenant = tenant_of(request)
    if found is None or not (tenant.operator or found.get("tenant") == tenant.name):
        raise NotFound("no answer of yours has this id", param="entry_id")
    return json_response(found)


def named_in_ledger(entry_id: str) -> str:
    """An answer's id as the ledger has it, from any form in which a client saw it."""
    return next((CHAT + entry_id.removeprefix(form) for form in _FORMS if entry_id.startswith(form)), entry_id)
