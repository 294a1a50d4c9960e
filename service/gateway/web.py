"""The web application: routes, what every request passes, and errors as replies."""

from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import Lifespan

from service.domain.errors import GatewayError
from service.gateway import (
    azure,
    chat,
    check,
    embeddings,
    openai,
    operations,
    principles,
    replay,
    responses,
    screen,
    text_completion,
)
from service.gateway.answering import Answering
from service.gateway.desk import Desk
from service.gateway.documented import openapi_of
from service.gateway.doors import Doors
from service.gateway.errors import on_gateway_error, on_http_exception, on_validation_error
from service.gateway.gate import Gate, Wicket
from service.gateway.lookout import Lookout
from service.gateway.middleware.body_limit import BodyLimit
from service.gateway.middleware.drain import Drain
from service.gateway.middleware.edge import Edge
from service.gateway.middleware.head_limit import HeadLimit
from service.gateway.middleware.idempotency import Idempotency
from service.gateway.middleware.linger import Linger
from service.gateway.middleware.tenancy import Tenancy

_ABOUT = (
    "Every answer is drafted, judged against clinical principles, revised where it falls short, and carries the proof."
)
# For pages of the origins that are set: their scripts may ask with a key of theirs, and never with a cookie.
_CORS: dict[str, Any] = {
    "allow_methods": ["GET", "POST"],
    "allow_headers": ["*"],
    "allow_credentials": False,
    "expose_headers": ["x-request-id", "retry-after", "idempotent-replayed"],
}
# Screenings, searches and encodings at once, which are CPU work of milliseconds, and waiting for their turn.
_QUICK_RUNNING = 4
_QUICK_QUEUED = 256
_ROUTERS = (
    chat.router,
    openai.router,
    azure.router,
    azure.plain,
    embeddings.router,
    text_completion.router,
    responses.router,
    check.router,
    screen.router,
    principles.router,
    operations.router,
    replay.router,
)
# Azure's newer clients ask for /openai/v1/...
_OPENAI = (openai.router, embeddings.router, text_completion.router, responses.router)


def create_web(desk: Desk, *, lifespan: Lifespan[FastAPI] | None = None) -> FastAPI:
    """The application that serves this desk."""
    web = FastAPI(
        title="ClinAlign Gateway",
        version=desk.service_version,
        description=_ABOUT,
        docs_url=None,  # the pages that FastAPI offers load their scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
        exception_handlers={
            GatewayError: on_gateway_error,
            HTTPException: on_http_exception,
            RequestValidationError: on_validation_error,
        },
    )
    gate = Gate(running=desk.limits.max_running, queued=desk.limits.max_queued, metrics=desk.metrics)
    web.state.doors = Doors(most=4 * (desk.limits.max_running + desk.limits.max_queued) + _QUICK_QUEUED)
    wicket = Wicket(running=_QUICK_RUNNING, queued=_QUICK_QUEUED)
    web.state.answering = Answering(desk, gate, wicket, Lookout(desk.orchestrator.screen))
    web.state.routes = [route for router in (*_ROUTERS, *_OPENAI) for route in router.routes]
    for router in _ROUTERS:
        web.include_router(router)
    for router in _OPENAI:
        web.include_router(router, prefix="/openai", include_in_schema=False)
    web.openapi = openapi_of(web)  # type: ignore[method-assign]
    web.add_middleware(Idempotency, repeats=desk.repeats)  # the innermost; the last added is the outermost
    web.add_middleware(BodyLimit, most=desk.limits.max_body_bytes, within_s=desk.limits.max_body_s)
    web.add_middleware(Tenancy, tenants=desk.tenants)
    web.add_middleware(HeadLimit)
    if desk.limits.cors_origins:
        web.add_middleware(CORSMiddleware, allow_origins=desk.limits.cors_origins, **_CORS)
    web.add_middleware(Drain, doors=web.state.doors)
    web.add_middleware(Edge, metrics=desk.metrics)
    web.add_middleware(Linger)  # beyond all that counts and times: a request is over once it is answered
    return web
