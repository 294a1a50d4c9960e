"""What a simulated model writes where a schema or tools shape its answer: the plainest value, and the call to make."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

Json = Mapping[str, Any]
_TEXT = "text"
_ANY_OBJECT: Json = {"type": "object", "properties": {"answer": {"type": "string"}}}


def wanted_schema(body: Json) -> Json:
    """The schema that the answer must fit; empty where prose is wanted."""
    wanted = body.get("response_format") or {}
    if wanted.get("type") == "json_object":
        return _ANY_OBJECT
    schema: Json = (wanted.get("json_schema") or {}).get("schema") or {}
    return schema


def plainest(schema: Json, *, text: str = _TEXT) -> Any:
    """The plainest value that fits a JSON schema as clients write them; every string that may be free is `text`."""
    return _value(schema, schema, text)


def _value(schema: Json, root: Json, text: str) -> Any:
    part = _resolved(schema, root)
    for name in ("const", "enum"):
        if name in part:
            return part[name] if name == "const" else part[name][0]
    kind = part.get("type", "object" if "properties" in part else "string")
    match kind[0] if isinstance(kind, list) else kind:
        case "object":
            return {name: _value(inner, root, text) for name, inner in part.get("properties", {}).items()}
        case "array":
            return [_value(part.get("items", {}), root, text)] * part.get("minItems", 1)
        case other:
            return {"boolean": True, "null": None, "string": text}.get(other, part.get("minimum", 0))


def _resolved(schema: Json, root: Json) -> Json:
    """The schema that a reference (`#/$defs/Name`) or the first of several choices comes down to."""
    if "$ref" in schema:
        found = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        return _resolved(found, root)
    choices = next((schema[name] for name in ("anyOf", "oneOf", "allOf") if schema.get(name)), None)
    return _resolved(choices[0], root) if choices else schema


def tool_call(body: Json) -> dict[str, Any] | None:
    """The call that a model would make now: the tool it must call, or the first it has not called for this question."""
    tools, choice = body.get("tools") or [], body.get("tool_choice") or "auto"
    if not tools or choice == "none":
        return None
    named = {tool["function"]["name"]: tool["function"] for tool in tools}
    called = _called(body["messages"])
    if isinstance(choice, dict):
        wanted = choice["function"]["name"]
    else:
        uncalled = [name for name in named if name not in called]
        if not uncalled and choice != "required":
            return None
        wanted = (uncalled or list(named))[0]
    arguments = orjson.dumps(plainest(named[wanted].get("parameters") or {"type": "object"})).decode()
    known = hashlib.blake2b(f"{wanted}{arguments}{len(body['messages'])}".encode(), digest_size=6).hexdigest()
    return {"id": f"call_{known}", "type": "function", "function": {"name": wanted, "arguments": arguments}}


def _called(messages: Sequence[Json]) -> set[str]:
    """The tools called since the user last asked. The gateway's own closing turn after a result is no question."""
    names: set[str] = set()
    turns = list(messages[:-1] if messages[-1]["role"] == "user" else messages)
    while turns and (turns[-1]["role"] == "tool" or turns[-1].get("tool_calls")):
        names |= {call["function"]["name"] for call in turns.pop().get("tool_calls") or ()}
    return names
