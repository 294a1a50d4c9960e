"""The process's edge: names the request, times it, and turns what nobody caught into a reply without a word of it."""

import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.domain.errors import GatewayError
from service.gateway.connected import ClientGone
from service.gateway.errors import error_response
from service.observability.logs import event, failed
from service.observability.metrics import Metrics

_SANE_ID = re.compile(r"[A-Za-z0-9._\-]{1,128}")
_CLIENT_GONE = 499  # nginx's number for a client that hung up; it is counted, never sent
SAFE = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
}


class Edge:
    """The outermost layer."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope))
        began, status = time.perf_counter(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_headers(MutableHeaders(scope=message), request_id)
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except ClientGone:
            status = _CLIENT_GONE
        except Exception as error:  # noqa: BLE001 - the process's edge
            failed(error, request_id=request_id)
            if not status:
                await error_response(GatewayError())(scope, receive, sending)
        finally:
            self._account(scope, request_id, status=status or _CLIENT_GONE, seconds=time.perf_counter() - began)

    def _account(self, scope: Scope, request_id: str, *, status: int, seconds: float) -> None:
        route = _template(scope)
        self._metrics.requests.labels(route, str(status)).inc()
        self._metrics.request_seconds.labels(route).observe(seconds)
        event("request", request_id=request_id, route=route, status=status, ms=round(seconds * 1000, 1))


def _request_id(headers: Headers) -> str:
    """The caller's own where it is sane, so that its logs and ours can be read together."""
    given = headers.get("x-request-id", "")
    return given if _SANE_ID.fullmatch(given) else new_request_id()


def new_request_id() -> str:
    """A name for a request that came without one of its own."""
    return f"req_{uuid.uuid4().hex}"


def _add_headers(headers: MutableHeaders, request_id: str) -> None:
    headers["x-request-id"] = request_id
    for name, value in SAFE.items():
        headers.setdefault(name, value)


def _template(scope: Scope) -> str:
    """The route as it is written in the code: a path itself may hold anything."""
    return str(getattr(scope.get("route"), "path", "none"))
