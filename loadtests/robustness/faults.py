"""Ways in which an upstream misbehaves, each told by what it puts on the wire instead of a reply."""

import asyncio
import random
from dataclasses import dataclass, field

import orjson
from aiohttp import web

from loadtests.robustness.model import Fault, begun, events
from loadtests.robustness.sayings import DUTY, Said, Stage

_FOREVER_S = 3600.0
_SSE = {"Content-Type": "text/event-stream"}
_TOLD = "the prompt was: {words}"


@dataclass(frozen=True, slots=True)
class Trouble:
    """One row: what goes wrong, in which stage; `reason` is the outcome_reason that is expected of it.

    Where `reason` is None the trouble is overcome, and the answer is released. `complies` is the model's share of met
    criteria; `closed` takes the whole server away.
    """

    name: str
    stage: Stage
    fault: Fault | None
    reason: str | None
    complies: float = 1.0
    closed: bool = False


def hangs(*, after: float = 0.0) -> Fault:
    """Says nothing more: before its first byte, or after this share of the reply."""

    async def play(request: web.Request, reply: Said) -> web.StreamResponse:
        if after:
            await _part(request, reply, share=after)
        await asyncio.sleep(_FOREVER_S)
        return web.Response(status=504)

    return play


def drops() -> Fault:
    """Cuts the connection in the middle of a token."""

    async def play(request: web.Request, reply: Said) -> web.StreamResponse:
        response = await _part(request, reply, share=0.5)
        await response.write(b'data: {"choices":[{"index":0,"delta":{"content":"take thr')
        if request.transport is not None:
            request.transport.abort()
        return response

    return play


def ends_early() -> Fault:
    """Ends the body in order, and has not said why the answer ends."""

    async def play(request: web.Request, reply: Said) -> web.StreamResponse:
        return await _part(request, reply, share=0.5)

    return play


def writes(*pieces: bytes, after: float = 0.0) -> Fault:
    """A 200 with these bytes as its stream, perhaps after a share of the reply."""

    async def play(request: web.Request, reply: Said) -> web.StreamResponse:
        response = await (_part(request, reply, share=after) if after else begun(request))
        for piece in pieces:
            await response.write(piece)
        return response

    return play


def drips(*, pause_s: float) -> Fault:
    """One token at a time, so slowly that no deadline is met."""

    async def play(request: web.Request, reply: Said) -> web.StreamResponse:
        response = await begun(request)
        for piece in events(reply):
            await response.write(piece)
            await asyncio.sleep(pause_s)
        return response

    return play


def answers(status: int, *, headers: dict[str, str] | None = None, body: bytes = b"") -> Fault:
    """Anything but a stream. Its error quotes the prompt, as some servers do."""

    async def play(request: web.Request, _: Said) -> web.StreamResponse:
        said = body or _quoting(orjson.loads(await request.read()))
        return web.Response(status=status, body=said, headers={"Content-Type": "application/json", **(headers or {})})

    return play


def quotes_in_stream(*, after: float = 0.0) -> Fault:
    """An error object inside a 200's stream, with the prompt in its message."""

    async def play(request: web.Request, reply: Said) -> web.StreamResponse:
        response = await (_part(request, reply, share=after) if after else begun(request))
        await response.write(b"data: " + _quoting(orjson.loads(await request.read())) + b"\n\n")
        return response

    return play


def speaks_no_http() -> Fault:
    """Bytes that are no HTTP."""

    async def play(request: web.Request, _: Said) -> web.StreamResponse:
        if request.transport is not None:
            request.transport.write(random.Random(1).randbytes(400))
            request.transport.close()
        return web.Response()

    return play


@dataclass
class AtFirst:
    """The fault for the first `times` calls; then the reply."""

    fault: Fault
    times: int
    seen: int = field(default=0)

    async def __call__(self, request: web.Request, reply: Said) -> web.StreamResponse:
        """One call."""
        self.seen += 1
        if self.seen <= self.times:
            return await self.fault(request, reply)
        response = await begun(request)
        await response.write(b"".join(events(reply, top=20)))
        return response


def verdicts(fault: Fault, *, of_duty: bool) -> Fault:
    """The fault for the verdict on a red flag's duty alone, or for all verdicts but that one."""

    async def play(request: web.Request, reply: Said) -> web.StreamResponse:
        is_duty = DUTY in orjson.loads(await request.read())["messages"][-1]["content"]
        return await AtFirst(fault, times=int(is_duty is of_duty))(request, reply)

    return play


def says(text: str, *, tool: str = "") -> Fault:
    """A good stream of this text, or of a call of this tool."""
    called = {"name": tool, "arguments": "{}"}
    calls = ({"index": 0, "id": "call_1", "type": "function", "function": called},) if tool else ()

    async def play(request: web.Request, reply: Said) -> web.StreamResponse:
        response = await begun(request)
        said = Said(text, calls, "tool_calls" if tool else "stop", None, reply.usage)
        await response.write(b"".join(events(said)))
        return response

    return play


def _quoting(body: dict[str, object]) -> bytes:
    words = orjson.dumps(body["messages"]).decode()
    return orjson.dumps({"error": {"message": _TOLD.format(words=words), "type": "server_error", "code": 500}})


async def _part(request: web.Request, reply: Said, *, share: float) -> web.StreamResponse:
    response = await begun(request)
    told = events(reply)
    await response.write(b"".join(told[: max(1, int(len(told) * share))]))
    return response


_GARBAGE = random.Random(2).randbytes(2000)
_DEADLINE, _FAILED, _JUDGE = "deadline", "engine_failed", "judge_failed"
_ODD = b'data: {"choices":[{"index":0,"delta":{"content":\n\n'
_JSON_ERROR = b'{"error":{"message":"overloaded","type":"server_error","code":"overloaded"}}'


def troubles() -> tuple[Trouble, ...]:
    """Every row, with fresh faults: some count their calls."""
    draft, judge, revise = Stage.DRAFT, Stage.JUDGE, Stage.REVISE
    once_busy = AtFirst(answers(429, headers={"Retry-After": "1"}), times=1)
    return (
        Trouble("hangs before its first byte", draft, hangs(), _DEADLINE),
        Trouble("hangs in mid-answer", draft, hangs(after=0.5), _DEADLINE),
        Trouble("drips a token every 0.2 s", draft, drips(pause_s=0.2), _DEADLINE),
        Trouble("drops the connection in mid-token", draft, drops(), _FAILED),
        Trouble("ends its stream without a finish_reason", draft, ends_early(), _FAILED),
        Trouble("sends an empty stream", draft, writes(), _FAILED),
        Trouble("sends [DONE] and nothing else", draft, writes(b"data: [DONE]\n\n"), _FAILED),
        Trouble("sends an empty answer", draft, says(""), "empty_draft"),
        Trouble("sends broken SSE (JSON cut in two)", draft, writes(_ODD, after=0.5), _FAILED),
        Trouble("sends garbage as a stream", draft, writes(b"data: " + _GARBAGE, b"\n\n"), _FAILED),
        Trouble("sends a line of 2 MB", draft, writes(b"data: " + b"a" * 2_000_000), _FAILED),
        Trouble("sends bytes that are no HTTP", draft, speaks_no_http(), _FAILED),
        Trouble("429, Retry-After 1, then well", draft, once_busy, None),
        Trouble("429, Retry-After 3600", draft, answers(429, headers={"Retry-After": "3600"}), _FAILED),
        Trouble("503 twice, then well", draft, AtFirst(answers(503), times=2), None),
        Trouble("500, its error quotes the prompt", draft, answers(500), _FAILED),
        Trouble("400, its error quotes the prompt", draft, answers(400), _FAILED),
        Trouble("200 with an error as JSON", draft, answers(200, body=_JSON_ERROR), _FAILED),
        Trouble("200 with an error as its first event", draft, quotes_in_stream(), _FAILED),
        Trouble("200 with an error in mid-answer", draft, quotes_in_stream(after=0.5), _FAILED),
        Trouble("307 to elsewhere", draft, answers(307, headers={"Location": "http://127.0.0.1:9/"}), _FAILED),
        Trouble("calls a tool that it was not offered", draft, says("", tool="order_opioids"), _FAILED),
        Trouble("refuses connections", draft, None, _FAILED, closed=True),
        Trouble("judge: answers nonsense", judge, says("Banana."), _JUDGE),
        Trouble("judge: says Yes to all, without probabilities", judge, says("Yes"), _JUDGE),
        Trouble("judge: 500s", judge, answers(500), _JUDGE),
        Trouble("judge: 400 to all but the duty", judge, verdicts(answers(400), of_duty=False), "criteria_unmet"),
        Trouble("judge: 400 to the duty alone", judge, verdicts(answers(400), of_duty=True), "red_flag_contradicted"),
        Trouble("judge: hangs", judge, hangs(), _DEADLINE),
        Trouble("reviser: edits that are no JSON", revise, says("Sure! Here are my edits."), "criteria_unmet", 0.0),
        Trouble("reviser: 500s", revise, answers(500), "criteria_unmet", 0.0),
        Trouble("reviser: hangs", revise, hangs(), _DEADLINE, 0.0),
    )
