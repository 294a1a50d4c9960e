"""A deterministic OpenAI-compatible model for synthesis: writes rubrics, answers, and verdicts of one word.

Served over HTTP by `served`, or as lines of a batch's output file by `batch_line`. What it says follows from the body
alone, so a run that was disturbed can be held against one that was not.
"""

import asyncio
import hashlib
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

_VERBS = ("Tells", "Asks", "Says", "Explains", "Names", "Warns", "Suggests")
_THINGS = ("the dose", "the doctor", "the next step", "the warning sign", "the test", "the side effect", "the weight")


def reply(body: dict[str, Any]) -> dict[str, Any]:
    """The chat completion of a body."""
    rng = random.Random(hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest())
    if body.get("logprobs"):
        return _completion("Yes", first={"Yes": -0.1, "No": -2.5} if rng.random() < 0.5 else {"Yes": -2.5, "No": -0.1})
    if body.get("response_format", {}).get("json_schema", {}).get("name") == "pairs":
        return _completion(_relations(rng, body["response_format"]["json_schema"]["schema"]["required"]))
    if "response_format" in body:
        return _completion(_rubric(rng))
    return _completion(" ".join(f"{rng.choice(_VERBS)} {rng.choice(_THINGS)}." for _ in range(4)))


def _relations(rng: random.Random, pairs: list[str]) -> str:
    if rng.random() < 0.15:
        return '{"1": '  # cut off: asked for again
    return json.dumps(
        {pair: "fits" if rng.random() < 0.8 else rng.choice(["repeats", "contradicts"]) for pair in pairs}
    )


def _rubric(rng: random.Random) -> str:
    if rng.random() < 0.15:
        return '{"items": ['  # cut off: asked for again
    items = [
        {
            "principle": 1,
            "criterion": f"{rng.choice(_VERBS)} {rng.choice(_THINGS)} about matter {rng.randrange(1000)}.",
            "polarity": "must" if at == 0 or rng.random() < 0.7 else "must_not",
            "weight": rng.randint(1, 10),
        }
        for at in range(rng.randint(3, 8))
    ]
    return json.dumps({"items": items})


def _completion(text: str, first: dict[str, float] | None = None) -> dict[str, Any]:
    listed = [{"token": token, "logprob": value, "top_logprobs": []} for token, value in (first or {}).items()]
    logprobs = {"content": [{**listed[0], "top_logprobs": listed}]} if first else None
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    return {"id": "x", "object": "chat.completion", "choices": [{**choice, "logprobs": logprobs}], "usage": usage}


def batch_line(request: dict[str, Any]) -> dict[str, Any]:
    """A line of a batch's output for a line of its input."""
    response = {"status_code": 200, "request_id": "r", "body": reply(request["body"])}
    return {"id": "b", "custom_id": request["custom_id"], "response": response, "error": None}


class Served:
    """The server, which counts what it was asked and takes its time.

    From the call `refuse_from` on it refuses; `only` is what it says to everything.
    """

    def __init__(self, *, pause_s: float = 0.0) -> None:
        self.asked = 0
        self.pause_s = pause_s
        self.refuse_from: int | None = None
        self.only: str | None = None
        self.url = ""

    async def complete(self, request: web.Request) -> web.Response:
        self.asked += 1
        await asyncio.sleep(self.pause_s)
        if self.refuse_from is not None and self.asked >= self.refuse_from:
            return web.Response(status=403)  # not one that is tried again
        if self.only is not None:
            return web.json_response(_completion(self.only))
        return web.json_response(reply(await request.json()))


@asynccontextmanager
async def served(*, pause_s: float = 0.0) -> AsyncIterator[Served]:
    """The model on a loopback port."""
    server = Served(pause_s=pause_s)
    app = web.Application(client_max_size=1 << 24)
    app.router.add_post("/v1/chat/completions", server.complete)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    server.url = f"http://127.0.0.1:{port}/v1"
    try:
        yield server
    finally:
        await runner.cleanup()
