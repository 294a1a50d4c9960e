"""Errors as replies: one table from the error to its HTTP status and OpenAI type, and OpenAI's error object."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NotRequired

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from typing_extensions import TypedDict

from service.domain.errors import (
    Conflict,
    EngineError,
    EngineGarbled,
    EngineRefused,
    EngineSilent,
    EngineTimeout,
    EngineUnavailable,
    Forbidden,
    GatewayError,
    HeadTooLarge,
    InvalidRequest,
    LedgerError,
    NotFound,
    Overloaded,
    PolicyOutcome,
    QuotaExceeded,
    RequestError,
    SettingsError,
    SlowRequest,
    StoreError,
    TooLarge,
    Unauthorised,
)
from service.gateway.replies import red_flag_reply

_INTERNAL = "something went wrong inside the gateway; its log has the request id"


class ErrorBody(TypedDict):
    """OpenAI's error object.

    `clinalign` holds the `red_flags` of a refused conversation and the `advice` that the person must be given now, or
    what POST /chat would have given, where the tenant wants a policy outcome as an error.
    """

    message: str
    type: str
    param: str | None
    code: str | None
    clinalign: NotRequired[Mapping[str, Any]]


class ErrorReply(TypedDict):
    """The body of every reply that is an error."""

    error: ErrorBody


@dataclass(frozen=True, slots=True)
class Kind:
    """How one class of error is told; `retry_after_s` where the error itself does not know."""

    status: int
    type: str
    code: str | None = None
    retry_after_s: float | None = None
    spoken: bool = True  # whether the error's own message may leave


KINDS: Mapping[type[GatewayError], Kind] = {
    GatewayError: Kind(500, "server_error", "internal_error", spoken=False),
    RequestError: Kind(400, "invalid_request_error"),
    InvalidRequest: Kind(400, "invalid_request_error"),
    Unauthorised: Kind(401, "authentication_error", "missing_api_key"),
    Forbidden: Kind(403, "permission_error", "forbidden"),
    NotFound: Kind(404, "invalid_request_error", "not_found"),
    Conflict: Kind(409, "invalid_request_error", "conflict"),
    TooLarge: Kind(413, "invalid_request_error", "body_too_large"),
    SlowRequest: Kind(408, "invalid_request_error", "slow_request"),
    HeadTooLarge: Kind(431, "invalid_request_error", "headers_too_large"),
    PolicyOutcome: Kind(422, "invalid_request_error", "content_filter"),
    QuotaExceeded: Kind(429, "rate_limit_error", "rate_limit_exceeded"),
    Overloaded: Kind(503, "server_error", "overloaded"),
    StoreError: Kind(503, "server_error", "store_unusable", retry_after_s=5),
    LedgerError: Kind(503, "server_error", "ledger_unusable", retry_after_s=30),
    SettingsError: Kind(500, "server_error", "internal_error", spoken=False),
    EngineError: Kind(502, "server_error", "engine_failed"),
    EngineUnavailable: Kind(503, "server_error", "engine_unavailable", retry_after_s=5),
    EngineSilent: Kind(504, "server_error", "engine_silent"),
    EngineTimeout: Kind(504, "server_error", "engine_timeout"),
    EngineRefused: Kind(502, "server_error", "engine_refused"),
    EngineGarbled: Kind(502, "server_error", "engine_garbled"),
}


def kind_of(error: GatewayError) -> Kind:
    """The table's row for this error, or for the nearest class above it."""
    return next(KINDS[cls] for cls in type(error).__mro__ if cls in KINDS)


def error_reply(error: GatewayError) -> ErrorReply:
    """OpenAI's error object."""
    kind = kind_of(error)
    named = error if isinstance(error, RequestError) else None
    said = str(error) if kind.spoken else _INTERNAL
    body: ErrorBody = {
        # Whoever is shown nothing else of an error is shown this; what to do now comes first.
        "message": f"{error.danger.advice} ({said})" if error.danger else said,
        "type": kind.type,
        "param": named.param if named else None,
        "code": (named.code if named else None) or kind.code,
    }
    if beside := _beside(error):
        body["clinalign"] = beside
    return {"error": body}


def _beside(error: GatewayError) -> Mapping[str, Any] | None:
    if isinstance(error, PolicyOutcome):
        proof: Mapping[str, Any] = error.proof
        return proof
    if error.danger is None:
        return None
    return {
        "red_flags": [red_flag_reply(flag) for flag in error.danger.red_flags],
        "advice": error.danger.advice,
    }


def error_response(error: GatewayError) -> Response:
    """The HTTP reply, with Retry-After where it helps."""
    kind = kind_of(error)
    headers: dict[str, str] = {}
    after = error.retry_after_s if isinstance(error, QuotaExceeded | Overloaded) else kind.retry_after_s
    if after is not None:
        headers["retry-after"] = str(max(1, math.ceil(after)))
    if isinstance(error, Unauthorised):
        headers["www-authenticate"] = "Bearer"
    status = error.status if isinstance(error, PolicyOutcome) else kind.status
    return json_response(error_reply(error), status=status, headers=headers)


def json_response(content: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A reply in JSON."""
    return Response(orjson.dumps(content), status, headers, media_type="application/json")


async def on_gateway_error(request: Request, error: Exception) -> Response:
    """FastAPI's handler for the whole tree. A policy outcome is `settled`: asked again, it is the same."""
    request.state.settled = isinstance(error, PolicyOutcome)
    return error_response(error if isinstance(error, GatewayError) else GatewayError())


async def on_http_exception(request: Request, error: Exception) -> Response:
    """What the router itself refuses: no such path, or no such method on it."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    said = "no such method on this path" if status == 405 else "no such path"  # noqa: PLR2004 - HTTP's own number
    headers = {"allow": _methods_of(request)} if status == 405 else None  # noqa: PLR2004 - the same
    body: ErrorReply = {
        "error": {"message": said, "type": "invalid_request_error", "param": None, "code": _ROUTER_CODES.get(status)}
    }
    return json_response(body, status=status, headers=headers)


async def on_validation_error(_: Request, error: Exception) -> Response:
    """A path or query parameter that FastAPI refused; what was given stays out of the reply."""
    found = error.errors() if isinstance(error, RequestValidationError) else []
    param = ".".join(str(part) for part in found[0]["loc"][1:]) if found else None
    return error_response(InvalidRequest("a parameter of the address is missing or of the wrong type", param=param))


def _methods_of(request: Request) -> str:
    """Every method on this path; the router itself names those of the first route alone that it came upon.

    A path that is written out stands before one with a parameter, as OpenAPI has it.
    """
    routes = [route for route in request.app.state.routes if route.matches(request.scope)[0] is not Match.NONE]
    named = [route for route in routes if route.path == request.url.path]
    return ", ".join(sorted({method for route in named or routes for method in route.methods}))


_ROUTER_CODES = {404: "not_found", 405: "method_not_allowed"}
