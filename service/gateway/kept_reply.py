"""A finished reply as bytes that can be kept, and a claim on one that is not finished yet."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from starlette.types import Message, Scope, Send

_OK = 200
_FINGERPRINT = 64
_WORKING, _FINISHED = b"w", b"f"
_REPLAYED = (b"idempotent-replayed", b"true")


@dataclass(frozen=True, slots=True)
class Route:
    """The template of the path that a reply was given on, for the count of requests."""

    path: str


def claim_of(fingerprint: str) -> bytes:
    """A claim like no other on the reply to the request with this fingerprint."""
    return fingerprint.encode() + _WORKING + secrets.token_hex(16).encode()


def fingerprint_of(found: bytes) -> str:
    """The fingerprint of the request that a claim or a reply belongs to."""
    return found[:_FINGERPRINT].decode()


def is_finished(found: bytes) -> bool:
    """Whether this is a reply and no claim."""
    return found[_FINGERPRINT : _FINGERPRINT + 1] == _FINISHED


def kept(fingerprint: str, messages: Sequence[Message], *, scope: Scope) -> bytes | None:
    """A whole 200 as bytes, or a policy outcome's 4xx; None of any other reply, and of a stream that broke off."""
    state = scope.get("state", {})
    if not messages or state.get("broke_off") or not (messages[0].get("status") == _OK or state.get("settled")):
        return None
    if messages[-1].get("more_body", False) or len(messages) == 1:
        return None
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in messages[0]["headers"]]
    route = getattr(scope.get("route"), "path", "none")
    head = orjson.dumps({"status": messages[0]["status"], "headers": headers, "route": route})
    # Comments kept a waiting client's stream alive; whoever gets the finished answer does not wait.
    bodies = (message.get("body", b"") for message in messages[1:])
    body = b"".join(piece for piece in bodies if not piece.startswith(b":"))
    return fingerprint.encode() + _FINISHED + head + b"\n" + body


async def replay(found: bytes, scope: Scope, send: Send) -> None:
    """Give a kept reply again."""
    head, _, body = found[_FINGERPRINT + 1 :].partition(b"\n")
    said = orjson.loads(head)
    scope["route"] = Route(said["route"])
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in said["headers"]]
    await send({"type": "http.response.start", "status": said["status"], "headers": [*headers, _REPLAYED]})
    await send({"type": "http.response.body", "body": body, "more_body": False})
