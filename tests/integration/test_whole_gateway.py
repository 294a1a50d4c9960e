"""`clinalign serve` as a process, against upstreams that are slow, absent, killed, and back again."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web

from loadtests.latency import complying
from loadtests.processes import gateway, simulated
from loadtests.simulated_vllm import SimulatedVllm, Simulation
from principles_store.paths import Places
from tests.shipped_store import needs_encoder

pytestmark = needs_encoder
CLINALIGN = Path(sys.executable).parent / "clinalign"
CHEST = "I have crushing chest pain and my left arm is numb right now."
CALM = "I have had a sore throat for three days. Can I take ibuprofen?"


async def ask(address: str, question: str) -> dict[str, Any]:
    body = {"messages": [{"role": "user", "content": question}]}
    async with aiohttp.ClientSession() as client, client.post(f"{address}/chat", json=body) as reply:
        assert reply.status == 200, await reply.text()
        return dict(await reply.json())


async def is_ready(address: str) -> bool:
    async with aiohttp.ClientSession() as client, client.get(f"{address}/readyz") as reply:
        return reply.status == 200


def rebuild(environment: dict[str, str]) -> None:
    subprocess.run(
        [CLINALIGN, "principles", "build"], check=True, capture_output=True, env={**os.environ, **environment}
    )


def few_queries(shipped: Path, folder: Path) -> None:
    """One labelled query in eight: to encode all of them takes most of a minute, and no answer here hangs on it."""
    folder.mkdir()
    for path in shipped.iterdir():
        queries = yaml.safe_load(path.read_text(encoding="utf-8"))["queries"]
        (folder / path.name).write_text(yaml.safe_dump({"queries": queries[::8]}), encoding="utf-8")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


async def test_a_question_is_answered_with_its_proof() -> None:
    server = SimulatedVllm(Simulation(ttft_s=0.001, inter_token_s=0.0, answer_tokens=40))
    server.presence = complying()
    async with simulated(server) as upstream, gateway("--upstream", upstream) as running:
        reply = await ask(running.address, CALM)
        assert reply["outcome"] == "released"
        assert reply["answer"]
        assert len(reply["verdicts"]) >= 5
        assert all(v["verdict"] == "met" for v in reply["verdicts"])
        assert reply["provenance"]["principles_digest"]
        assert reply["usage"]["cached_tokens"] > reply["usage"]["prompt_tokens"] / 2


async def test_the_principles_are_reloaded_while_serving_and_no_request_is_dropped(tmp_path: Path) -> None:
    principles, index, queries = tmp_path / "principles", tmp_path / "index", tmp_path / "queries"
    places = Places.from_environment()
    shutil.copytree(places.principles, principles)
    shutil.copytree(places.index, index)  # of the same principles: `make install` has built it
    few_queries(places.queries, queries)
    environment = {"CLINALIGN_PRINCIPLES_DIR": str(principles), "CLINALIGN_INDEX_DIR": str(index)}
    server = SimulatedVllm(Simulation(ttft_s=0.001, inter_token_s=0.001, answer_tokens=40))
    server.presence = complying()
    async with (
        simulated(server) as upstream,
        gateway("--upstream", upstream, environment=environment) as running,
    ):
        before = (await ask(running.address, CALM))["provenance"]["principles_digest"]
        routine = principles / "urgency" / "routine.yaml"
        routine.write_text(routine.read_text().replace("version: 1.0.0", "version: 1.0.1", 1))
        await asyncio.to_thread(rebuild, {**environment, "CLINALIGN_QUERIES_DIR": str(queries)})
        asking = [asyncio.create_task(ask(running.address, CALM)) for _ in range(10)]
        os.kill(running.pid, signal.SIGHUP)
        assert all([(await asked)["outcome"] == "released" for asked in asking])
        async with asyncio.timeout(10):
            while (await ask(running.address, CALM))["provenance"]["principles_digest"] == before:
                await asyncio.sleep(0.1)


async def test_red_flags_are_caught_while_the_model_is_down_and_answers_come_once_it_is_up() -> None:
    port = free_port()
    async with gateway("--upstream", f"http://127.0.0.1:{port}/v1") as running:
        assert not await is_ready(running.address)
        flagged = await ask(running.address, CHEST)
        assert (flagged["outcome"], flagged["outcome_reason"]) == ("safe_message", "engine_failed")
        assert flagged["red_flags"][0]["family"] == "cardiac"
        assert "emergency number now" in flagged["answer"]

        server = SimulatedVllm(Simulation(ttft_s=0.001, inter_token_s=0.0, answer_tokens=40))
        server.presence = complying()
        runner = web.AppRunner(server.app())
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        try:
            async with asyncio.timeout(30):
                while not await is_ready(running.address):
                    await asyncio.sleep(0.2)
            assert (await ask(running.address, CALM))["outcome"] == "released"
        finally:
            await runner.cleanup()


@asynccontextmanager
async def slow_upstream() -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """The simulated vLLM as a process of its own, most of a minute an answer: to be killed in its midst."""
    port = free_port()
    pace = ["--ttft-ms", "10", "--inter-token-ms", "50", "--answer-tokens", "1000"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "loadtests.simulated_vllm", "--port", str(port), *pace
    )
    try:
        async with asyncio.timeout(20), aiohttp.ClientSession() as client:
            while True:
                with suppress(aiohttp.ClientError):
                    await client.get(f"http://127.0.0.1:{port}/health")
                    break
                await asyncio.sleep(0.1)
        yield f"http://127.0.0.1:{port}/v1", process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.parametrize(("policy", "outcome"), [("fail_closed", "withheld"), ("safe_message", "safe_message")])
async def test_an_upstream_killed_in_mid_draft_leaves_the_policy_and_the_duty(policy: str, outcome: str) -> None:
    environment = {"CLINALIGN_FAILURE_POLICY": policy}
    async with (
        slow_upstream() as (upstream, process),
        gateway("--upstream", upstream, environment=environment) as running,
    ):
        assert await is_ready(running.address)
        asking = asyncio.create_task(ask(running.address, CHEST))
        await asyncio.sleep(2)
        assert not asking.done()
        process.kill()
        reply = await asking
    assert (reply["outcome"], reply["outcome_reason"]) == (outcome, "engine_failed")
    assert reply["answer"].startswith("Call your local emergency number now.")
    assert "sore throat" not in reply["answer"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--host", "0.0.0.0"], "CLINALIGN_API_KEYS"),
        (["--upstream", "ftp://x"], "http"),
        (["--port", "99999"], "port"),
    ],
    ids=["beyond-loopback-without-keys", "upstream", "port"],
)
def test_a_bad_setting_stops_the_start_with_one_line(arguments: list[str], says: str) -> None:
    run = subprocess.run([CLINALIGN, "serve", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 1
    assert says in run.stderr
    assert "Traceback" not in run.stderr


def test_a_stale_index_stops_the_start_and_says_what_to_do(tmp_path: Path) -> None:
    environment = {"CLINALIGN_INDEX_DIR": str(tmp_path), "PATH": ""}
    run = subprocess.run([CLINALIGN, "serve"], capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert run.returncode == 1
    assert "clinalign principles build" in run.stderr


async def test_a_first_question_that_is_refused_does_not_end_the_gateway() -> None:
    keys = {"CLINALIGN_API_KEYS": "ward:k"}
    async with (
        simulated(SimulatedVllm()) as upstream,
        gateway("--upstream", upstream, "--ask", CALM, environment=keys) as running,
    ):
        await asyncio.sleep(1.0)
        assert await is_ready(running.address)


def test_two_apps_with_one_key_stop_the_start() -> None:
    environment = {**os.environ, "CLINALIGN_API_KEYS": "a:same-key,b:same-key"}
    run = subprocess.run([CLINALIGN, "serve"], capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert run.returncode == 1
    assert "the same API key" in " ".join(run.stderr.split())
    assert "same-key," not in run.stderr
