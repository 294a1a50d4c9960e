"""What OpenAPI says of a route: its body, which is read by hand, its replies and its errors."""

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

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
_bodies: dict[str, type[Body]] = {}


def documented(
    reply: Any, *bodies: type[Body], stream: bool = False, parameters: Sequence[dict[str, Any]] = ()
) -> dict[str, Any]:
    """Keyword arguments for a route's decorator. `reply` is the type of its JSON; any of `bodies` may be sent.

    `parameters` are those that the route reads by hand, as OpenAPI writes them.
    """
    ok: dict[str, Any] = {"model": reply}
    if stream:
        ok["content"] = {"text/event-stream": {"schema": _EVENT}}
    said: dict[str, Any] = {"responses": {200: ok, "4XX": {"model": ErrorReply}, "5XX": {"model": ErrorReply}}}
    if parameters:
        said["openapi_extra"] = {"parameters": [*parameters]}
    if bodies:
        _bodies.update({body.__name__: body for body in bodies})
        refs = [{"$ref": _REF.format(model=body.__name__)} for body in bodies]
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
            _, bodies = models_json_schema([(b, "validation") for b in _bodies.values()], ref_template=_REF)
            made.setdefault("components", {}).setdefault("schemas", {}).update(bodies["$defs"])
            web.openapi_schema = made
        return web.openapi_schema

    return openapi
