"""Whole requests, through the web application in the process: any answer but a 5xx.

An input is JSON: `to` a path with its query, `method`, `headers`, and a `body`, or its bytes as `raw`.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from fastapi import FastAPI

from loadtests.fuzz.bodies import BODIES
from loadtests.robustness.inside import inside_web

_PATHS = {
    "chat": "/chat",
    "chat completions": "/v1/chat/completions",
    "responses": "/v1/responses",
    "completions": "/v1/completions",
    "embeddings": "/v1/embeddings",
    "check": "/check",
    "screen": "/screen",
    "principles search": "/principles/search",
}
_MODEL = "default"
_WITHIN_S = 20.0


@dataclass
class WholeRequest:
    """Reads an input by sending it: True for a 2xx, False for a 4xx. The gateway is built at the first."""

    web: FastAPI | None = None
    runner: asyncio.Runner = field(default_factory=asyncio.Runner)

    def __call__(self, data: bytes) -> bool:
        """One request."""
        self.web = self.web or inside_web()
        return self.runner.run(asyncio.wait_for(_sent(self.web, data), _WITHIN_S))

    def close(self) -> None:
        """End the event loop, if one was needed."""
        self.runner.close()


def seeds() -> tuple[bytes, ...]:
    """A good request to every route that takes a body, streamed where it can be, and one to Azure's path."""
    asked = {name: _answerable(body) for name, (body, _) in BODIES.items()}
    requests: list[dict[str, Any]] = [
        {"to": _PATHS[name], "headers": {"idempotency-key": name.replace(" ", "-")}, "body": body}
        for name, body in asked.items()
    ]
    requests += [{"to": _PATHS[name], "body": {**asked[name], "stream": False}} for name in ("chat", "completions")]
    deployment = "/openai/deployments/default/chat/completions?api-version=1"
    requests.append({"to": deployment, "headers": {"api-key": "x"}, "body": asked["chat completions"]})
    requests.append({"to": "/principles", "method": "GET"})
    return tuple(orjson.dumps(request) for request in requests)


def _answerable(body: Mapping[str, Any]) -> dict[str, Any]:
    """The body without what this gateway's model and encoder do not do."""
    kept = {name: value for name, value in body.items() if name not in {"reasoning_effort", "reasoning", "dimensions"}}
    return {**kept, **({"model": _MODEL} if "model" in kept else {})}


async def _sent(web: FastAPI, data: bytes) -> bool:
    request = _read(data)
    told: list[dict[str, Any]] = []
    waiting = [{"type": "http.request", "body": _body(request), "more_body": False}]

    async def receive() -> dict[str, Any]:
        if waiting:
            return waiting.pop()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        told.append(message)

    await web(_scope(request), receive, send)
    status = told[0]["status"]
    if status >= 500:
        raise AssertionError(f"a {status}")
    if b'"internal_error"' in b"".join(message.get("body", b"") for message in told[1:]):
        raise AssertionError("a stream that ends with an internal error")
    return bool(status < 400)


def _read(data: bytes) -> Mapping[str, Any]:
    """The request in an input; what is none becomes the bytes of a chat's body."""
    try:
        request = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {"raw": data.decode("latin-1")}
    return request if isinstance(request, dict) else {"body": request}


def _body(request: Mapping[str, Any]) -> bytes:
    raw = request.get("raw")
    return raw.encode("latin-1", "replace") if isinstance(raw, str) else orjson.dumps(request.get("body"))


def _scope(request: Mapping[str, Any]) -> dict[str, Any]:
    to, method, headers = request.get("to"), request.get("method"), request.get("headers")
    path, _, query = (to if isinstance(to, str) and to.startswith("/") else "/chat").partition("?")
    named = headers.items() if isinstance(headers, dict) else ()
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method if isinstance(method, str) and method.isascii() and method.isalpha() else "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [
            (name.lower().encode("latin-1", "replace"), str(value).encode("latin-1", "replace"))
            for name, value in (("content-type", "application/json"), *named)
        ],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8080),
        "state": {},
    }
