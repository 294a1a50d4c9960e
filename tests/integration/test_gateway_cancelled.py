"""Clients that hang up at random moments, against the gateway as a process: nothing upstream runs on."""

import asyncio
import random
from typing import Any

import aiohttp

from loadtests.processes import gateway, simulated
from loadtests.simulated_vllm import SimulatedVllm, Simulation
from tests.shipped_store import needs_encoder

QUESTION = "I have had a sore throat for three days. Can I take ibuprofen?"
MESSAGES = {"messages": [{"role": "user", "content": QUESTION}]}
WAYS: list[tuple[str, dict[str, Any]]] = [
    ("/chat", MESSAGES),
    ("/v1/chat/completions", MESSAGES),
    ("/v1/responses", {"input": QUESTION}),
    ("/v1/completions", {"prompt": QUESTION}),
]


@needs_encoder
async def test_of_a_hundred_requests_cancelled_at_random_moments_no_call_is_left_after_a_second() -> None:
    chance = random.Random(7)
    # About 1.2 s an answer that passes, 2 s and more one that is revised: every stage is met by some.
    server = SimulatedVllm(Simulation(ttft_s=0.1, inter_token_s=0.005, answer_tokens=200, edits_tokens=100))
    async with (
        simulated(server) as upstream,
        gateway("--upstream", upstream) as running,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client,
    ):

        async def ask(path: str, body: dict[str, Any], *, leaves_after_s: float) -> bool:
            try:
                async with asyncio.timeout(leaves_after_s), client.post(running.address + path, json=body) as reply:
                    await reply.read()
            except TimeoutError:
                return True
            return False

        asked = [
            ask(path, {**body, "stream": n % 2 == 0}, leaves_after_s=chance.uniform(0.05, 3.0))
            for n, (path, body) in enumerate(WAYS * 25)
        ]
        left = await asyncio.gather(*asked)
        await asyncio.sleep(1)
        assert server.counts.running == server.counts.waiting == 0
        assert sum(left) >= 50
        assert server.counts.finished["abort"] > 0
        async with client.get(f"{running.address}/metrics") as metrics:
            assert "clinalign_running 0.0" in await metrics.text()
