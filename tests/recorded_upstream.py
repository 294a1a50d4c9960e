"""A server between the gateway and its upstream that passes everything on, and remembers what each call cost."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from loadtests.processes import simulated

_USAGE = re.compile(rb'"usage":\{')
_NOT_PASSED_ON = {"host", "content-length", "content-encoding", "transfer-encoding", "accept-encoding", "connection"}


@dataclass(frozen=True, slots=True)
class Call:
    """One completion: how many tokens it might write, and its prompt's tokens, in all and out of the cache."""

    max_tokens: int
    prompt_tokens: int
    cached_tokens: int

    @property
    def is_verdict(self) -> bool:
        """Verdicts alone are read from one token."""
        return self.max_tokens == 1

    @property
    def uncached(self) -> int:
        return self.prompt_tokens - self.cached_tokens


@dataclass(slots=True)
class RecordedUpstream:
    """Passes on to `url`, the upstream's address without /v1; `calls` are those that ended, `cut` those that were left.

    What `extra` holds is put into each completion that is asked for. Where `together` is set, completions are passed on
    when so many have come.
    """

    url: str
    client: aiohttp.ClientSession
    calls: list[Call] = field(default_factory=list)
    cut: int = 0
    extra: dict[str, Any] = field(default_factory=dict)
    together: asyncio.Barrier | None = None

    def app(self) -> web.Application:
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", self._pass_on)
        return app

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._answer(request)
        except (asyncio.CancelledError, aiohttp.ClientConnectionResetError):
            self.cut += request.path.endswith("/completions")
            raise asyncio.CancelledError from None

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if self.extra and request.path.endswith("/completions"):
            body = json.dumps({**json.loads(body), **self.extra}).encode()
        if self.together and request.path.endswith("/completions"):
            await self.together.wait()
        headers = {name: text for name, text in request.headers.items() if name.lower() not in _NOT_PASSED_ON}
        async with self.client.request(request.method, self.url + request.path_qs, data=body, headers=headers) as reply:
            kept = {name: text for name, text in reply.headers.items() if name.lower() not in _NOT_PASSED_ON}
            answer = web.StreamResponse(status=reply.status, headers=kept)
            await answer.prepare(request)
            said = b""
            async for piece in reply.content.iter_any():
                said += piece
                await answer.write(piece)
        if request.path.endswith("/completions") and reply.status == 200:
            self.calls.append(_call(json.loads(body), said))
        await answer.write_eof()
        return answer


def _call(asked: dict[str, Any], said: bytes) -> Call:
    """The last usage that was told; a stream may tell of it with each piece."""
    *_, last = _USAGE.finditer(said)
    usage, _ = json.JSONDecoder().raw_decode(said[last.end() - 1 :].decode())
    cached = (usage["prompt_tokens_details"] or {}).get("cached_tokens", 0)
    return Call(asked.get("max_tokens") or asked["max_completion_tokens"], usage["prompt_tokens"], cached)


@asynccontextmanager
async def recorded(upstream: str) -> AsyncIterator[tuple[str, RecordedUpstream]]:
    """The base URL to give to the gateway, ending in /v1, and the record."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(None)) as client:
        recorder = RecordedUpstream(upstream.removesuffix("/v1"), client)
        async with simulated(recorder) as url:
            yield url, recorder
