"""A gateway that serves the real page and answers POST /chat as a test scripts it."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from service.console import routes
from tests.browser.sample import reply
from tests.browser.served_app import ServedApp


@dataclass
class Script:
    """What the gateway does next. A stage is held until the test lets it go, where `hold` names it."""

    reply: dict[str, Any] = field(default_factory=reply)
    stages: tuple[str, ...] = ("admitted", "retrieve", "draft", "judge", "revise", "judge")
    hold: str | None = None
    error: dict[str, Any] | None = None
    error_status: int = 500
    cut_after: int | None = None
    streams: bool = True
    demonstration: bool = True
    key: str | None = None
    go: threading.Event = field(default_factory=threading.Event)
    asked: list[dict[str, Any]] = field(default_factory=list)
    hung_up: threading.Event = field(default_factory=threading.Event)


class ScriptedGateway:
    """The page's files and the two routes it asks."""

    def __init__(self) -> None:
        self.script = Script()
        self.served = ServedApp(
            Starlette(
                routes=[*routes(), Route("/chat", self._chat, methods=["POST"]), Route("/v1/models", self._models)]
            )
        )

    @property
    def url(self) -> str:
        return self.served.url

    async def _models(self, request: Request) -> Response:
        if self._unknown(request):
            return JSONResponse({"error": {"message": "no API key"}}, status_code=401)
        model = {"id": "clinalign-demo-14m", "clinalign": {"demonstration": self.script.demonstration}}
        return JSONResponse({"object": "list", "data": [model]})

    async def _chat(self, request: Request) -> Response:
        script, body = self.script, await request.json()
        script.asked.append(body)
        if self._unknown(request):
            error = {"message": "no API key: send it as a bearer token"}
            return JSONResponse({"error": error}, status_code=401, headers={"x-request-id": "req_401"})
        if script.error is not None and not body["stream"]:
            return JSONResponse({"error": script.error}, status_code=script.error_status)
        if body["stream"] and script.streams:
            return StreamingResponse(self._events(script), media_type="text/event-stream")
        return JSONResponse(script.reply)

    def _unknown(self, request: Request) -> bool:
        key = self.script.key
        return key is not None and request.headers.get("authorization") != f"Bearer {key}"

    async def _events(self, script: Script) -> AsyncIterator[bytes]:
        try:
            for count, stage in enumerate(script.stages):
                if count == script.cut_after:
                    return
                yield _event("stage", {"stage": stage})
                yield b": checking\n\n"
                if stage == script.hold:
                    await _let_go(script.go)
            if script.error is not None:
                yield _event("error", {"error": script.error})
                return
            yield _event("delta", {"text": script.reply["answer"]})
            # In two pieces, cut inside a character: a network does so too.
            whole = _event("answer", script.reply)
            middle = whole.find("é".encode()) + 1 or len(whole) // 2
            yield whole[:middle]
            await asyncio.sleep(0.01)
            yield whole[middle:]
        except asyncio.CancelledError:
            script.hung_up.set()
            raise


async def _let_go(go: threading.Event) -> None:
    while not go.is_set():
        await asyncio.sleep(0.01)


def _event(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()
