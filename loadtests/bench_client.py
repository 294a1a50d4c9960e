"""CPU time of one verdict call by HTTP client, against the simulated vLLM: `python -m loadtests.bench_client`.

Ten verdicts go out at once, as the judge sends them. The clients take turns in one process, so that they share
the machine's moods; the server is another process, and its time is not counted.
"""

import argparse
import asyncio
import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx

from service.domain.completion import Ask, Completion, Prompt
from service.domain.conversation import Message, Role
from service.domain.deadline import Deadline
from service.domain.enquiry import Sampling
from service.engines.endpoint import Endpoint
from service.engines.openai_http import OpenAIEngine
from service.engines.reply import Reply
from service.engines.request import completion_body
from service.engines.retry import Backoff
from service.engines.sse import Events
from service.prompts import verdict

VERDICTS = 10
_MODEL = "simulated"
_DEADLINE_S = 30.0
Complete = Callable[[Ask], Awaitable[Completion]]


def main() -> None:
    """Print the table, or JSON with `--json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="turns of each client, ten calls at once in a turn")
    parser.add_argument("--repeat", type=int, default=10, help="how often ten calls go out within a turn")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-m", "loadtests.simulated_vllm", "--port", str(port), "--ttft-ms=0", "--inter-token-ms=0"]
    )
    try:
        found = asyncio.run(_measure(f"http://127.0.0.1:{port}/v1", rounds=chosen.rounds, repeat=chosen.repeat))
    finally:
        server.terminate()
        server.wait(timeout=10)
    print(json.dumps(found) if chosen.json else _table(found))


async def _measure(url: str, *, rounds: int, repeat: int) -> dict[str, float]:
    """Microseconds of CPU for a call, the median over the rounds, by client."""
    spent: dict[str, list[float]] = {}
    async with _aiohttp(url) as first, _httpx(url) as second:
        clients = {"aiohttp (ours)": first, "httpx": second}
        for turn in range(rounds + 1):
            for name, complete in clients.items():
                microseconds = await _turn(complete, repeat=repeat)
                if turn:  # the first warms connections and caches up
                    spent.setdefault(name, []).append(microseconds)
    return {name: statistics.median(values) for name, values in spent.items()}


async def _turn(complete: Complete, *, repeat: int) -> float:
    asks = [_ask(number) for number in range(VERDICTS)]
    began = time.process_time()
    for _ in range(repeat):
        completions = await asyncio.gather(*(complete(ask) for ask in asks))
        if any(verdict.read(completion.first_token).present is None for completion in completions):
            raise SystemExit("a verdict could not be read: the client under test lost something")
    return (time.process_time() - began) / (repeat * VERDICTS) * 1e6


def _ask(number: int) -> Ask:
    """A verdict over a conversation and a draft of ordinary length."""
    question = Message(Role.USER, "I have had a sore throat and a mild cough for three days. " * 20)
    draft = Message(Role.ASSISTANT, "Rest and drink enough. See a doctor if it lasts longer than a week. " * 20)
    instruction = verdict.instruction(f"Says when to see a doctor, and names sign number {number}.")
    return Ask(Prompt((question, draft, instruction)), Sampling(temperature=0.0, max_tokens=1), top_probabilities=20)


@asynccontextmanager
async def _aiohttp(url: str) -> AsyncIterator[Complete]:
    patient = Backoff(retries=40, cap_s=0.5)  # the server has only just been started
    engine = OpenAIEngine(Endpoint(base_url=url, model=_MODEL), backoff=patient)
    await engine.start(Deadline.after(_DEADLINE_S))

    async def complete(ask: Ask) -> Completion:
        return await engine.complete(ask, deadline=Deadline.after(_DEADLINE_S))

    yield complete
    await engine.aclose()


@asynccontextmanager
async def _httpx(url: str) -> AsyncIterator[Complete]:
    """The same request, reading and deadline over httpx; without our retries, breaker and limit, which favours it."""
    async with httpx.AsyncClient(timeout=_DEADLINE_S) as client:

        async def complete(ask: Ask) -> Completion:
            reply, events = Reply(), Events()
            body = completion_body(ask, model=_MODEL, extra={})
            async with (
                asyncio.timeout(_DEADLINE_S),
                client.stream("POST", f"{url}/chat/completions", content=body) as response,
            ):
                response.raise_for_status()
                async for piece in response.aiter_bytes():
                    for data in events.feed(piece):
                        reply.take(data)
            return reply.completion()

        yield complete


def _table(found: dict[str, float]) -> str:
    fastest = min(found.values())
    rows = (f"{name:16} {value:10.0f} {value / fastest:8.2f}" for name, value in found.items())
    return "\n".join((f"{'client':16} {'us a call':>10} {'ratio':>8}", *rows))


if __name__ == "__main__":
    main()
