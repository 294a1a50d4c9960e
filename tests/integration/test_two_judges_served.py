"""`clinalign serve` with a judge on a server of its own."""

import aiohttp

from loadtests.latency import complying
from loadtests.processes import gateway, simulated
from loadtests.simulated_vllm import SimulatedVllm, Simulation
from tests.integration.test_whole_gateway import CALM, CHEST, ask, free_port
from tests.shipped_store import needs_encoder

pytestmark = needs_encoder
QUICK = Simulation(ttft_s=0.001, inter_token_s=0.0, answer_tokens=40)


def lenient() -> SimulatedVllm:
    server = SimulatedVllm(QUICK)
    server.presence = complying()
    return server


async def test_a_second_judge_on_its_own_server_accepts_and_can_hold_back() -> None:
    judge = lenient()
    async with (
        simulated(lenient()) as upstream,
        simulated(judge) as judging,
        gateway("--upstream", upstream, environment={"CLINALIGN_JUDGE_UPSTREAM": judging}) as running,
    ):
        passed = await ask(running.address, CALM)
        asked = judge.counts.generated_tokens
        judge.presence = lambda criterion, _: 1 - complying()(criterion, "")
        held = await ask(running.address, CALM)
    assert passed["outcome"] == "released"
    assert asked >= len(passed["verdicts"]) // 2
    assert {v["judge"] for v in passed["verdicts"]} == {"self", "upstream"}
    assert (passed["provenance"]["judge"], passed["provenance"]["accept_judge"]) == ("self", "upstream")
    assert passed["provenance"]["judge_digest"] != passed["provenance"]["accept_judge_digest"]
    assert passed["usage"]["by_stage"]["accept"]["completion_tokens"] == len(passed["verdicts"]) // 2
    assert (held["outcome"], held["outcome_reason"]) == ("safe_message", "criteria_unmet")
    assert {v["judge"] for v in held["verdicts"] if v["verdict"] == "unmet"} == {"upstream"}


async def test_a_judge_that_was_not_reached_makes_the_gateway_unready_and_passes_nothing() -> None:
    environment = {"CLINALIGN_JUDGE_UPSTREAM": f"http://127.0.0.1:{free_port()}/v1"}
    async with (
        simulated(lenient()) as upstream,
        gateway("--upstream", upstream, environment=environment) as running,
        aiohttp.ClientSession() as client,
    ):
        async with client.get(f"{running.address}/readyz") as reply:
            assert (reply.status, (await reply.json())["reasons"]) == (
                503,
                ["the judge's server has not been reached yet"],
            )
        flagged = await ask(running.address, CHEST)
    assert flagged["outcome"] == "safe_message"
    assert "emergency number now" in flagged["answer"]
