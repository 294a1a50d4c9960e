"""Real local servers for the tests: one whose every reply is scripted, and the simulated vLLM."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from loadtests.simulated_vllm import SimulatedVllm, Simulation

DONE = b"data: [DONE]\n\n"
Play = Callable[[web.Request, dict[str, Any]], Awaitable[web.StreamResponse]]


def chunk(
    content: str | None = None, *, finish_reason: str | None = None, delta: dict[str, Any] | None = None, **more: Any
) -> bytes:
    """One event of a stream."""
    added = delta if delta is not None else ({} if content is None else {"content": content})
    choice = {"index": 0, "delta": added, "finish_reason": finish_reason, **more}
    return b"data: " + orjson.dumps({"choices": [choice]}) + b"\n\n"


def usage(prompt_tokens: int, completion_tokens: int, **more: Any) -> bytes:
    """The last event before [DONE]."""
    said = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens, **more}
    return b"data: " + orjson.dumps({"choices": [], "usage": said}) + b"\n\n"


def says(text: str) -> tuple[bytes, ...]:
    """A whole good stream."""
    return (chunk(text), chunk(finish_reason="stop"), usage(3, 1), DONE)


def streams(*pieces: bytes, pause_s: float = 0.0, drop: bool = False) -> Play:
    """A 200 that writes these pieces; `drop` cuts the connection after them."""

    async def play(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
            await asyncio.sleep(pause_s)
        if drop and request.transport is not None:
            request.transport.abort()
        return response

    return play


def answers(status: int, body: object = None, *, raw: bytes | None = None, **headers: str) -> Play:
    """Anything but a stream."""

    async def play(request: web.Request, _: dict[str, Any]) -> web.StreamResponse:
        said = raw if raw is not None else orjson.dumps(body)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=status, body=said, headers={"Content-Type": "application/json", **named})

    return play


def hangs(*, after: Iterable[bytes] = (), seconds: float = 30.0) -> Play:
    """Says nothing for a long time: before its first byte, or after these pieces."""
    first = tuple(after)

    async def play(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        if not first:
            await asyncio.sleep(seconds)
            return web.Response(status=504)
        return await streams(*first, b": still here\n\n", pause_s=seconds)(request, body)

    return play


def endless(*, pause_s: float = 0.01) -> Play:
    """A stream that never finishes."""

    async def play(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        while True:
            await response.write(chunk("word "))
            await asyncio.sleep(pause_s)

    return play


@dataclass
class ScriptedServer:
    """Plays one `Play` after another, the last one again and again; records bodies and counts who is being served."""

    script: list[Play]
    models: Any = field(default_factory=lambda: {"data": [{"id": "scripted", "max_model_len": 4096}]})
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    peers: set[tuple[str, int]] = field(default_factory=set)
    running: int = 0
    most_running: int = 0
    aborted: int = 0
    base_url: str = ""

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body = orjson.loads(await request.read())
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        if request.transport is not None:
            self.peers.add(request.transport.get_extra_info("peername"))
        play = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        self.running += 1
        self.most_running = max(self.running, self.most_running)
        try:
            return await play(request, body)
        except (asyncio.CancelledError, ConnectionError):
            self.aborted += 1
            raise
        finally:
            self.running -= 1

    async def _models(self, _: web.Request) -> web.Response:
        return web.json_response(self.models)

    async def until_idle(self, *, within_s: float = 1.0) -> None:
        """Waits until nobody is being served any more."""
        async with asyncio.timeout(within_s):
            while self.running:
                await asyncio.sleep(0.01)

    async def until_running(self, count: int = 1) -> None:
        """Waits until `count` are being served."""
        async with asyncio.timeout(2.0):
            while self.running < count:
                await asyncio.sleep(0.005)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["ScriptedServer"]:
        """Serve on a free loopback port."""
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._complete)
        app.router.add_get("/v1/models", self._models)
        async with listening(app) as address:
            self.base_url = f"{address}/v1"
            yield self


@asynccontextmanager
async def listening(app: web.Application) -> AsyncIterator[str]:
    """Serve the app on a free loopback port; gives http://host:port."""
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def simulated_vllm(simulation: Simulation | None = None) -> AsyncIterator[tuple[SimulatedVllm, str]]:
    """The simulated vLLM and its base URL."""
    server = SimulatedVllm(simulation)
    async with listening(server.app()) as address:
        yield server, f"{address}/v1"
