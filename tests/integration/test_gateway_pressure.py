"""Many at once, and the end of a gateway: what is given up first, and who is still answered."""

import asyncio
import os
import signal
import time
from typing import Any

import aiohttp
import pytest

from loadtests.latency import complying
from loadtests.processes import RunningGateway, gateway, simulated
from loadtests.simulated_vllm import SimulatedVllm, Simulation
from service.domain.completion import Ask, Completion
from service.gateway.desk import Limits
from service.state.memory import MemoryCache
from tests.gateway_fakes import BAD, COUGH, FakeDesk, client_of, plays
from tests.integration.test_gateway_admission import eventually
from tests.shipped_store import needs_encoder


@pytest.mark.parametrize("path", ["/chat", "/check"])
async def test_under_pressure_revision_falls_first_and_the_reply_says_so(path: str) -> None:
    held = asyncio.Event()
    otherwise = plays(BAD)

    async def waits(ask: Ask) -> Completion:
        await held.wait()
        played: Any = otherwise(ask)
        return Completion(**{name: getattr(played, name) for name in Completion.__slots__})

    fake = FakeDesk(waits, limits=Limits(max_running=1, max_queued=4), cache=MemoryCache(ttl_s=60))
    body = {**COUGH, "answer": BAD, "revise": True} if path == "/check" else COUGH
    async with client_of(fake) as client:
        first = asyncio.create_task(client.post(path, json=body))
        await eventually(lambda: fake.engine.running > 0)
        rest = [asyncio.create_task(client.post(path, json=body)) for _ in range(4)]
        await eventually(lambda: b"clinalign_waiting 4.0" in fake.metrics.exposition())
        held.set()
        replies = [(await task).json() for task in (first, *rest)]
    reduced = ["revisions_reduced" in reply["provenance"]["notices"] for reply in replies]
    # The second begins with three behind it, of four: one round is left of two. The third with two: all of both.
    assert reduced == [False, True, False, False, False]
    assert [len(reply["revisions"]) for reply in replies] == [2, 1, 2, 2, 2]
    assert replies[1]["outcome"] == "safe_message"  # fewer rounds, and no lower line


async def ask(running: RunningGateway, **more: Any) -> tuple[int, dict[str, str], Any]:
    body = {"messages": [{"role": "user", "content": "I have had a sore throat for three days."}], **more}
    async with aiohttp.ClientSession() as client, client.post(f"{running.address}/chat", json=body) as reply:
        return reply.status, dict(reply.headers), await reply.text()


def slow_upstream() -> SimulatedVllm:
    server = SimulatedVllm(Simulation(ttft_s=0.2, inter_token_s=0.01, answer_tokens=200))
    server.presence = complying()
    return server


async def until_ended(pid: int, *, within_s: float) -> float:
    began = time.monotonic()
    async with asyncio.timeout(within_s):
        while os.path.exists(f"/proc/{pid}") and "Z (" not in _state(pid):  # noqa: ASYNC240, PTH110
            await asyncio.sleep(0.02)
    return time.monotonic() - began


def _state(pid: int) -> str:
    with open(f"/proc/{pid}/status") as status:  # noqa: PTH123
        return next(line for line in status if line.startswith("State"))


@needs_encoder
async def test_after_a_signal_who_is_inside_is_answered_and_anybody_else_is_sent_away() -> None:
    async with simulated(slow_upstream()) as upstream, gateway("--upstream", upstream) as running:
        inside = [asyncio.create_task(ask(running, stream=stream)) for stream in (False, True)]
        await asyncio.sleep(0.7)
        os.kill(running.pid, signal.SIGTERM)
        await asyncio.sleep(0.3)
        status, headers, _ = await ask(running)
        assert (status, headers["Connection"]) == (503, "close")
        assert int(headers["Retry-After"]) >= 1
        async with aiohttp.ClientSession() as client, client.get(f"{running.address}/readyz") as reply:
            assert (reply.status, (await reply.json())["reasons"]) == (503, ["the gateway is ending"])
        async with aiohttp.ClientSession() as client, client.get(f"{running.address}/healthz") as reply:
            assert reply.status == 200
        for status, _, text in await asyncio.gather(*inside):
            assert status == 200
            assert '"outcome":"released"' in text
        assert await until_ended(running.pid, within_s=5) < 3


@needs_encoder
async def test_a_second_signal_cuts() -> None:
    server = SimulatedVllm(Simulation(ttft_s=0.1, inter_token_s=0.2, answer_tokens=300))
    async with simulated(server) as upstream, gateway("--upstream", upstream) as running:
        inside = asyncio.create_task(ask(running))
        await asyncio.sleep(0.7)
        os.kill(running.pid, signal.SIGTERM)
        await asyncio.sleep(0.3)
        assert not inside.done()
        os.kill(running.pid, signal.SIGTERM)
        assert await until_ended(running.pid, within_s=10) < 5
        status, headers, text = await inside
        assert (status, headers["Connection"]) == (503, "close")
        assert "this gateway is ending" in text
        await eventually(lambda: server.counts.running == 0)


@needs_encoder
async def test_who_takes_longer_than_the_drain_is_cut() -> None:
    server = SimulatedVllm(Simulation(ttft_s=0.1, inter_token_s=0.2, answer_tokens=300))
    environment = {"CLINALIGN_DRAIN_S": "0.5"}
    async with simulated(server) as upstream, gateway("--upstream", upstream, environment=environment) as running:
        inside = asyncio.create_task(ask(running))
        await asyncio.sleep(0.7)
        os.kill(running.pid, signal.SIGTERM)
        assert 0.4 < await until_ended(running.pid, within_s=10) < 6
        assert (await inside)[0] == 503
