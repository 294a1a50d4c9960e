"""What OpenAPI says of a route: its body, which is read by hand, its replies and its errors.

Routes carry references alone and their schemas are made when the description is first asked for: made by FastAPI with
each of the routes, they would take a tenth of the start.
"""

from collections.abc import Callable, Sequence
from types import UnionType
from typing import Any, Literal, get_args, get_origin

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter
from starlette.responses import Response

from service.gateway.enquiring import PURPOSE
from service.gateway.errors import ErrorReply
from service.gateway.reading import Body

_REF = "#/components/schemas/{model}"
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Sent again with the same key, a request gets the same answer; another body is a 409.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
}
_PURPOSE = {
    "name": PURPOSE,
    "in": "header",
    "required": False,
    "description": "`chore` asks for a title, tags or the like; it leaves unjudged if the key's scopes allow it.",
    "schema": {"enum": ["answer", "chore"]},
}
# A stream is described by what each of its events is.
_EVENT = {
    "type": "object",
    "description": "One event. Its data is JSON, or [DONE].",
    "properties": {"event": {"type": "string"}, "data": {"type": "string"}},
    "required": ["data"],
    "additionalProperties": False,
}
Mode = Literal["validation", "serialization"]
_described: dict[str, tuple[Any, Mode]] = {}  # by the name that references give


def documented(
    reply: Any, *bodies: type[Body], stream: bool = False, parameters: Sequence[dict[str, Any]] = ()
) -> dict[str, Any]:
    """Keyword arguments for a route's decorator. `reply` is the type of its JSON; any of `bodies` may be sent.

    `parameters` are those that the route reads by hand, as OpenAPI writes them.
    """
    ok: dict[str, Any] = {"application/json": {"schema": _replied(reply)}}
    if stream:
        ok["text/event-stream"] = {"schema": _EVENT}
    failed = {"application/json": {"schema": _replied(ErrorReply)}}
    said: dict[str, Any] = {
        "responses": {200: {"content": ok}, "4XX": {"content": failed}, "5XX": {"content": failed}},
        "response_class": Response,  # each is made by hand; no schema is to be read off it
    }
    if parameters:
        said["openapi_extra"] = {"parameters": [*parameters]}
    if bodies:
        refs = [_reference(body, "validation") for body in bodies]
        schema = refs[0] if len(refs) == 1 else {"anyOf": refs}
        body = {"required": True, "content": {"application/json": {"schema": schema}}}
        answers = [_PURPOSE] if stream else []
        said["openapi_extra"] = {"parameters": [*parameters, *answers, _IDEMPOTENCY_KEY], "requestBody": body}
    return said


def openapi_of(web: FastAPI) -> Callable[[], dict[str, Any]]:
    """The function that gives the whole description, made once."""

    def openapi() -> dict[str, Any]:
        if web.openapi_schema is None:
            made = get_openapi(
                title=web.title, version=web.version, description=web.description, routes=web.routes, tags=[]
            )
            adapters: list[tuple[str, Mode, TypeAdapter[Any]]] = [
                (name, mode, TypeAdapter(kind)) for name, (kind, mode) in _described.items()
            ]
            _, schemas = TypeAdapter.json_schemas(adapters, ref_template=_REF)
            made.setdefault("components", {}).setdefault("schemas", {}).update(schemas["$defs"])
            web.openapi_schema = made
        return web.openapi_schema

    return openapi


def _replied(reply: Any) -> dict[str, Any]:
    """The schema of a reply: a typed dictionary, one of several, or any object."""
    if isinstance(reply, UnionType):
        return {"anyOf": [_replied(one) for one in get_args(reply)]}
    if get_origin(reply) is dict:
        return {"type": "object", "additionalProperties": True}
    return _reference(reply, "serialization")


def _reference(kind: Any, mode: Mode) -> dict[str, Any]:
    _described[kind.__name__] = (kind, mode)
    return {"$ref": _REF.format(model=kind.__name__)}
