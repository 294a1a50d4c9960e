"""The deterministic model as a server: OpenAI's interface over what `sayings` says, with faults on request.

It writes down every call, so that a test can tell what was cancelled, in which stage, and what was left running.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from loadtests.robustness.sayings import Manner, Said, Stage, logprobs, said, stage_of

MODEL = "deterministic"
_HEAD = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 0, "model": MODEL}
_DONE = b"data: [DONE]\n\n"
# A case that is to be told apart from others writes its number into its question.
_MARK = re.compile(r"[Cc]ase (\d+)")

Fault = Callable[[web.Request, Said], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds to the first token, and from each token to the next; nothing waits at 0."""

    first_s: float = 0.0
    token_s: float = 0.0


@dataclass(slots=True)
class Call:
    """One call: its stage, the number of its case, how it ended ("" while it runs), and when (monotonic seconds)."""

    stage: Stage
    case: int
    ended: str = ""
    ended_at: float = 0.0

    def end(self, how: str) -> None:
        """Write down that it ended now."""
        self.ended, self.ended_at = how, time.monotonic()


@dataclass
class DeterministicModel:
    """`faults` says by stage what happens instead of a reply; it may be changed while serving."""

    pace: Pace = field(default_factory=Pace)
    faults: dict[Stage, Fault] = field(default_factory=dict)
    manner: Manner = field(default_factory=Manner)
    context_tokens: int = 8192
    calls: list[Call] = field(default_factory=list)

    def app(self) -> web.Application:
        """Serve it with `handler_cancellation=True`, so that it notices who went away."""
        app = web.Application(client_max_size=16 << 20)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._complete)
        return app

    @property
    def running(self) -> list[Call]:
        """The calls that have not ended."""
        return [call for call in self.calls if not call.ended]

    def ended(self, how: str) -> Counter[Stage]:
        """How many calls of each stage ended so."""
        return Counter(call.stage for call in self.calls if call.ended == how)

    async def _models(self, _: web.Request) -> web.Response:
        listed = {
            "id": MODEL,
            "object": "model",
            "created": 0,
            "owned_by": "vllm",
            "max_model_len": self.context_tokens,
        }
        return web.json_response({"object": "list", "data": [listed]})

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body: dict[str, Any] = orjson.loads(await request.read())
        stage = stage_of(body)
        call = Call(stage, _case(body))
        self.calls.append(call)
        try:
            reply = said(body, self.manner)
            fault = self.faults.get(stage)
            response = await (fault(request, reply) if fault else self.stream(request, body, reply))
        except asyncio.CancelledError:
            call.end("aborted")
            raise
        except ConnectionError:  # the same, seen a moment later, by writing
            call.end("aborted")
            return web.Response(status=499)
        except BaseException:
            call.end("failed")
            raise
        call.end("finished")
        return response

    async def stream(self, request: web.Request, body: dict[str, Any], reply: Said) -> web.StreamResponse:
        """The whole reply as a stream, at this server's pace."""
        response = await begun(request)
        pieces = events(reply, top=body.get("top_logprobs", 0) if body.get("logprobs") else 0)
        if not self.pace.first_s and not self.pace.token_s:
            await response.write(b"".join(pieces))
            return response
        due = time.monotonic() + self.pace.first_s
        for piece in pieces:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            due += self.pace.token_s
            await response.write(piece)
        return response


async def begun(request: web.Request) -> web.StreamResponse:
    """A 200 that will be a stream of events."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    return response


def events(reply: Said, *, top: int = 0) -> list[bytes]:
    """The events of a good stream, from the role to [DONE]: one a token."""
    words = [_chunk({"content": token}, logprobs=logprobs(reply, most=top)) for token in reply.tokens if token]
    calls = [_chunk({"tool_calls": [call]}) for call in reply.calls]
    end = _chunk({}, finish_reason=reply.finish_reason)
    usage = _event({**_HEAD, "choices": [], "usage": reply.usage})
    return [_chunk({"role": "assistant", "content": ""}), *words, *calls, end, usage, _DONE]


def _case(body: dict[str, Any]) -> int:
    asked = " ".join(m.get("content") or "" for m in body["messages"] if m["role"] == "user")
    found = _MARK.search(asked)
    return int(found[1]) if found else -1


def _chunk(delta: dict[str, Any], *, logprobs: object = None, finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}
    return _event({**_HEAD, "choices": [choice]})


def _event(data: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(data) + b"\n\n"
