"""A stand-in for vLLM with the same interface and a clock instead of a model: `python -m loadtests.simulated_vllm`.

It drafts, gives verdicts by rule (a criterion is present when its words are in the draft) and edits what it is asked
to, so that a whole guarded answer runs against it; its prefix cache counts what vLLM's would.
"""

import argparse
import asyncio
import hashlib
import math
import re
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from aiohttp import web

from loadtests.simulated_shapes import plainest, tool_call, wanted_schema
from service.prompts.edits import MAX_EDITS, Edit, Op, write
from service.prompts.sentences import split

_TOKEN = re.compile(r"\s?\w+|\s?[^\w\s]|\s")
_WORD = re.compile(r"\w{4,}")
_VERDICT = re.compile(r"Does it do this\?\n(?P<criterion>.*)\nReply ", re.DOTALL)
_TAKE_OUT = re.compile(r"^- Take out what is forbidden: (?P<text>.*)$", re.MULTILINE)
_NUMBERED = re.compile(r"^\d+\. ", re.MULTILINE)
_ADD = re.compile(r"^- Add what is missing: (?P<text>.*)$", re.MULTILINE)
_WORDS = (
    "Rest and drink enough. A mild sore throat often gets better within a week. See a doctor if it lasts longer, if "
    "swallowing becomes hard or if you have a high fever. Take pain relief as the leaflet says and tell your doctor "
    "about other medicines you take. "
)
_PRESENT_SHARE = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """How fast and how large; times in seconds, lengths in tokens. Edits are padded up to `edits_tokens`.

    The first token takes `ttft_s` and `prefill_s` for each prompt token that was not cached.
    """

    model: str = "simulated"
    ttft_s: float = 0.02
    prefill_s: float = 0.00005
    inter_token_s: float = 0.005
    answer_tokens: int = 120
    edits_tokens: int = 0
    max_model_len: int = 8192
    max_running: int = 256
    cache_blocks: int = 65536


BLOCK = 16


class PrefixCache:
    """Which prompt beginnings are known, in blocks of 16 tokens, the least recently used forgotten first."""

    def __init__(self, blocks: int) -> None:
        self._blocks = blocks
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def read(self, tokens: list[str], *, salt: str = "") -> int:
        """How many tokens of this prompt were known; from now on all its full blocks are. The last token never is."""
        cached, chain, unbroken = 0, salt.encode(), True
        for start in range(0, len(tokens) - BLOCK + 1, BLOCK):
            block = "\0".join(tokens[start : start + BLOCK]).encode()
            chain = hashlib.blake2b(chain + block, digest_size=16).digest()
            unbroken = unbroken and chain in self._known
            cached += BLOCK if unbroken else 0
            self._known[chain] = None
            self._known.move_to_end(chain)
        while len(self._known) > self._blocks:
            self._known.popitem(last=False)
        return min(cached, max(0, (len(tokens) - 1) // BLOCK * BLOCK))


@dataclass(slots=True)
class Counts:
    """What /metrics tells."""

    running: int = 0
    waiting: int = 0
    finished: Counter[str] = field(default_factory=Counter)
    prompt_tokens: int = 0
    cached_tokens: int = 0
    generated_tokens: int = 0


@dataclass(frozen=True, slots=True)
class _Writing:
    """One answer about to be streamed."""

    pieces: list[str]
    finish_reason: str
    prompt_tokens: int
    cached_tokens: int
    yes: float | None
    body: dict[str, Any]
    call: dict[str, Any] | None = None


class SimulatedVllm:
    """The app and what it counts. Serve it with `handler_cancellation=True`, so that it notices who went away.

    `presence` says how likely a criterion's thing is in a draft, `prose` what is said to these messages; both may be
    exchanged while serving. Where tools are offered, each is called once for a question.
    """

    def __init__(self, simulation: Simulation | None = None) -> None:
        self.simulation = simulation or Simulation()
        self.presence: Callable[[str, str], float] = shared_words
        self.prose: Callable[[list[dict[str, Any]]], str] = lambda _: _prose(self.simulation.answer_tokens)
        self.counts = Counts()
        self._cache = PrefixCache(self.simulation.cache_blocks)
        self._room = asyncio.Semaphore(self.simulation.max_running)

    def app(self) -> web.Application:
        """The aiohttp application."""
        app = web.Application(client_max_size=16 << 20)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._complete)
        app.router.add_post("/tokenize", self._tokenize)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/health", _health)
        return app

    async def _models(self, _: web.Request) -> web.Response:
        listed = {
            "id": self.simulation.model,
            "object": "model",
            "created": 0,
            "owned_by": "vllm",
            "max_model_len": self.simulation.max_model_len,
        }
        return _json({"object": "list", "data": [listed]})

    async def _tokenize(self, request: web.Request) -> web.Response:
        tokens = _TOKEN.findall(orjson.loads(await request.read())["prompt"])
        ids = [int.from_bytes(hashlib.blake2b(token.encode(), digest_size=2).digest()) for token in tokens]
        return _json({"count": len(ids), "max_model_len": self.simulation.max_model_len, "tokens": ids})

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body = orjson.loads(await request.read())
        if body.get("model") not in {None, self.simulation.model}:
            return _error(404, "NotFoundError", "The model does not exist.")
        prompt = _TOKEN.findall(_rendered(body))
        if len(prompt) >= self.simulation.max_model_len:
            return _error(400, "BadRequestError", "The prompt is longer than the model's context.")
        async with self._running():
            writing = self._think(body, prompt)
            return await (self._stream(request, writing) if body.get("stream") else self._whole(writing))

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        self.counts.waiting += 1
        try:
            await self._room.acquire()
        finally:
            self.counts.waiting -= 1
        self.counts.running += 1
        try:
            yield
        except (asyncio.CancelledError, ConnectionError):
            self.counts.finished["abort"] += 1
            raise
        finally:
            self.counts.running -= 1
            self._room.release()

    def _think(self, body: dict[str, Any], prompt: list[str]) -> _Writing:
        cached = self._cache.read(prompt, salt=body.get("cache_salt", ""))
        call = tool_call(body)
        text, yes = ("", None) if call else _answer(body, self)
        pieces = _TOKEN.findall(text) or [""]
        limit = body.get("max_tokens") or body.get("max_completion_tokens") or len(pieces)
        self.counts.prompt_tokens += len(prompt)
        self.counts.cached_tokens += cached
        reason = "length" if len(pieces) > limit else "tool_calls" if call else "stop"
        return _Writing(pieces[:limit], reason, len(prompt), cached, yes, body, call)

    async def _paced(self, writing: _Writing) -> AsyncIterator[str]:
        """Each piece at its time, on an absolute schedule."""
        simulation = self.simulation
        uncached = writing.prompt_tokens - writing.cached_tokens
        due = time.monotonic() + simulation.ttft_s + uncached * simulation.prefill_s
        for piece in writing.pieces:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            due += simulation.inter_token_s
            self.counts.generated_tokens += 1
            yield piece

    async def _stream(self, request: web.Request, writing: _Writing) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        head = self._head("chat.completion.chunk")
        first = True
        async for piece in self._paced(writing):
            opening = _chunk(head, {"role": "assistant", "content": ""}) if first else b""
            await response.write(opening + _chunk(head, {"content": piece}, logprobs=_logprobs(writing, piece)))
            first = False
        end = _chunk(head, {"tool_calls": [{"index": 0, **writing.call}]}) if writing.call else b""
        end += _chunk(head, {}, finish_reason=writing.finish_reason)
        if (writing.body.get("stream_options") or {}).get("include_usage"):
            end += _event({**head, "choices": [], "usage": _usage(writing)})
        await response.write(end + b"data: [DONE]\n\n")
        self.counts.finished[writing.finish_reason] += 1
        return response

    async def _whole(self, writing: _Writing) -> web.StreamResponse:
        text = "".join([piece async for piece in self._paced(writing)])
        self.counts.finished[writing.finish_reason] += 1
        calls = {"tool_calls": [writing.call]} if writing.call else {}
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": text, **calls},
            "logprobs": _logprobs(writing, writing.pieces[0]),
            "finish_reason": writing.finish_reason,
        }
        return _json({**self._head("chat.completion"), "choices": [choice], "usage": _usage(writing)})

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": "chatcmpl-simulated", "object": kind, "created": int(time.time()), "model": self.simulation.model}

    async def _metrics(self, _: web.Request) -> web.Response:
        counts = self.counts
        values: list[tuple[str, str, float]] = [
            ("num_requests_running", "", counts.running),
            ("num_requests_waiting", "", counts.waiting),
            ("kv_cache_usage_perc", "", min(1.0, counts.running / self.simulation.max_running)),
            ("prompt_tokens_total", "", counts.prompt_tokens),
            ("generation_tokens_total", "", counts.generated_tokens),
            ("prefix_cache_queries_total", "", counts.prompt_tokens),
            ("prefix_cache_hits_total", "", counts.cached_tokens),
            *(
                ("request_success_total", f',finished_reason="{why}"', counts.finished[why])
                for why in ("stop", "length", "abort")
            ),
        ]
        label = f'model_name="{self.simulation.model}"'
        lines = (f"vllm:{name}{{{label}{more}}} {value}" for name, more, value in values)
        return web.Response(text="\n".join(lines) + "\n")


async def _health(_: web.Request) -> web.Response:
    return web.Response()


def _rendered(body: dict[str, Any]) -> str:
    """A chat template's work: tools, then each message, then the opening of the answer."""
    tools = orjson.dumps(body["tools"]).decode() if body.get("tools") else ""
    turns = (f"<{message['role']}>\n{message.get('content') or ''}\n" for message in body["messages"])
    return f"{tools}{''.join(turns)}<assistant>\n"


def _answer(body: dict[str, Any], model: SimulatedVllm) -> tuple[str, float | None]:
    """What to say, and the probability of yes where the question was a verdict."""
    messages = body["messages"]
    last = messages[-1].get("content") or ""
    draft = next((m.get("content") or "" for m in reversed(messages) if m["role"] == "assistant"), "")
    schema = wanted_schema(body)
    names = schema.get("properties", {}).keys()
    if found := _VERDICT.search(last):
        yes = model.presence(found["criterion"], draft)
        return _verdict(present=yes > 0.5, as_json="present" in names), yes
    if "edits" in names:
        return _padded(tuple(_edits(last, draft)), tokens=model.simulation.edits_tokens), None
    wishes = _ADD.findall(last) if draft else []
    if schema:
        text = " ".join((model.prose(messages), *wishes))
        return orjson.dumps(plainest(schema, text=text)).decode(), None
    if wishes:
        return f"{draft} {' '.join(wishes)}", None
    if last.endswith("Yes or No."):
        return "Yes", 0.9
    return model.prose(messages), None


def _verdict(*, present: bool, as_json: bool) -> str:
    if as_json:
        return orjson.dumps({"present": present}).decode()
    return "Yes" if present else "No"


def shared_words(criterion: str, draft: str) -> float:
    """High where most of the criterion's longer words are in the draft."""
    words = {word.lower() for word in _WORD.findall(criterion)}
    said = {word.lower() for word in _WORD.findall(draft)}
    share = len(words & said) / len(words) if words else 1.0
    return 1 / (1 + math.exp(-12 * (share - _PRESENT_SHARE)))


def _edits(instruction: str, draft: str) -> Iterator[Edit]:
    """Insert every wish at its own place, and delete the sentences that are nearest to what is forbidden."""
    named = len(_NUMBERED.findall(instruction))  # the body's, which may be fewer than the whole answer's
    sentences = split(draft)[-named:]
    for number, wish in enumerate(_ADD.findall(instruction)[: min(len(sentences) + 1, MAX_EDITS - 1)]):
        yield Edit(Op.INSERT, len(sentences) - number, wish)
    forbidden = _TAKE_OUT.findall(instruction)
    if forbidden and len(sentences) > 1:
        near = max(range(len(sentences)), key=lambda place: shared_words(forbidden[0], sentences[place]))
        yield Edit(Op.DELETE, near + 1)


def _padded(edits: Sequence[Edit], *, tokens: int) -> str:
    """The reply, its last text lengthened until the whole has `tokens` tokens."""
    missing = tokens - len(_TOKEN.findall(write(edits)))
    if missing <= 0 or not edits or edits[-1].op is Op.DELETE:
        return write(edits)
    *others, last = edits
    return write((*others, replace(last, text=f"{last.text} {_prose(missing).strip()}")))


def _prose(tokens: int) -> str:
    pieces = _TOKEN.findall(_WORDS)
    return "".join((pieces * (tokens // len(pieces) + 1))[:tokens])


def _logprobs(writing: _Writing, piece: str) -> dict[str, Any] | None:
    if not writing.body.get("logprobs"):
        return None
    yes = writing.yes if writing.yes is not None else 0.5
    odds = {"Yes": yes * 0.98, "No": (1 - yes) * 0.98, " yes": 0.01} if writing.yes is not None else {piece: 0.9}
    ranked = sorted(odds.items(), key=lambda item: -item[1])[: writing.body.get("top_logprobs", 0)]
    top = [{"token": token, "logprob": math.log(max(odd, 1e-9)), "bytes": None} for token, odd in ranked]
    return {"content": [{"token": piece, "logprob": -0.1, "bytes": None, "top_logprobs": top}]}


def _usage(writing: _Writing) -> dict[str, Any]:
    return {
        "prompt_tokens": writing.prompt_tokens,
        "completion_tokens": len(writing.pieces),
        "total_tokens": writing.prompt_tokens + len(writing.pieces),
        "prompt_tokens_details": {"cached_tokens": writing.cached_tokens},
    }


def _chunk(
    head: dict[str, Any],
    delta: dict[str, Any],
    *,
    logprobs: dict[str, Any] | None = None,
    finish_reason: str | None = None,
) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}
    return _event({**head, "choices": [choice]})


def _event(data: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(data) + b"\n\n"


def _json(data: object, *, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(data), status=status, content_type="application/json")


def _error(status: int, kind: str, message: str) -> web.Response:
    return _json({"error": {"message": message, "type": kind, "param": None, "code": status}}, status=status)


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--ttft-ms", type=float, default=20.0)
    parser.add_argument("--inter-token-ms", type=float, default=5.0)
    parser.add_argument("--answer-tokens", type=int, default=120)
    chosen = parser.parse_args()
    simulation = Simulation(
        ttft_s=chosen.ttft_ms / 1000, inter_token_s=chosen.inter_token_ms / 1000, answer_tokens=chosen.answer_tokens
    )
    server = SimulatedVllm(simulation)
    web.run_app(
        server.app(), host=chosen.host, port=chosen.port, handler_cancellation=True, access_log=None, print=None
    )


if __name__ == "__main__":
    main()
