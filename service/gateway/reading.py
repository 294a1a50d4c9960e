"""A request's bytes become a checked body; what is wrong is named by its field, never by what was written in it."""

import re
from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar, cast

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails
from starlette.requests import Request

from service.domain.errors import InvalidRequest
from service.gateway.unknown import HINTS

MAX_DEPTH = 64
_TOO_DEEP = f"the body is nested deeper than {MAX_DEPTH} levels"
# Names of fields that may be repeated in a message; anything else could be a person's words.
_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
# How pydantic calls a field that the path before it has named already.
_SUBJECT = re.compile(r"^[A-Z][a-z]+ should")
_SAID = {"missing": "is missing", "extra_forbidden": "is not a field that is known here"}

Path = tuple[str | int, ...]


class Body(BaseModel):
    """A part of a request: unknown fields are refused, and no value is bent into another type."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


B = TypeVar("B", bound=Body)


async def read(request: Request, model: type[B]) -> B:
    """The request's body.

    Raises:
        InvalidRequest: it is not UTF-8, not JSON, not an object, too deep, or a field is wrong.
        TooLarge: it is longer than the limit.

    """
    return checked(parsed(await request.body()), model)


def parsed(raw: bytes) -> dict[str, Any]:
    """The JSON object in these bytes.

    Raises:
        InvalidRequest: there is none.

    """
    if not raw.strip():
        raise InvalidRequest("the body is empty: send a JSON object")
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(_unparsed(raw, error), code="invalid_json") from None  # the cause would hold the text
    if not isinstance(value, dict):
        raise InvalidRequest("the body must be a JSON object", code="invalid_json")
    if _too_deep(value):
        raise InvalidRequest(_TOO_DEEP, code="invalid_json")
    # The only way for a NUL into a string of JSON; the look for it is long, and almost never needed.
    if rb"\u0000" in raw and (path := _path_to_nul(value)) is not None:
        raise InvalidRequest(f"{written(path)}: holds a NUL character", param=written(path))
    return value


def checked(value: dict[str, Any], model: type[B]) -> B:
    """The body as a record.

    Raises:
        InvalidRequest: a field is missing, unknown, of the wrong type or out of range.

    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise _invalid(found) from None  # the cause would hold the text


def written(path: Sequence[str | int]) -> str:
    """A path as `messages[3].role`."""
    steps = (f"[{step}]" if isinstance(step, int) else f".{_safe(step)}" for step in path)
    return "".join(steps).removeprefix(".")


def _unparsed(raw: bytes, error: orjson.JSONDecodeError) -> str:
    try:
        raw.decode()
    except UnicodeDecodeError as undecoded:
        return f"the body is not UTF-8 (byte {undecoded.start})"
    if "depth limit" in error.msg:
        return _TOO_DEEP
    return f"the body is not valid JSON (line {error.lineno}, column {error.colno})"


def _too_deep(value: object) -> bool:
    """Level by level, so that a body of a million empty lists does not hold the event loop up."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else cast("list[Any]", node))
            if child and isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def _path_to_nul(value: object) -> Path | None:
    if isinstance(value, str):
        return () if "\0" in value else None
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, child in items:
        if child and (path := _path_to_nul(child)) is not None:
            return (step, *path)
    return None


def _invalid(found: Sequence[ErrorDetails]) -> InvalidRequest:
    first = found[0]
    # A validator of a whole field may point further in than pydantic does.
    path = [step for step in first["loc"] if not str(step).startswith("<")]  # tags of a union are no part of the body
    at = written(path) + str(first.get("ctx", {}).get("at", ""))
    at = at.removeprefix(".")
    said = _SAID.get(first["type"]) or _SUBJECT.sub("should", first["msg"], count=1)
    if first["type"] == "extra_forbidden" and path and (hint := HINTS.get(str(path[-1]))):
        said = f"{said}: {hint}"
    others = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return InvalidRequest(f"{at or 'the body'}: {said}{others}", param=at or None)


def _safe(name: str) -> str:
    return name if _NAME.fullmatch(name) else "?"
