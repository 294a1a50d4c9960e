"""What a guarded answer costs over a plain one: seconds, tokens, and how much of each prompt came from the cache.

The upstream is the simulated vLLM: its clock is exact and its prefix cache counts in blocks of 16 tokens as vLLM's on
a GPU does, so what is measured is the gateway and the shape of its calls, not a model.
"""

import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from loadtests.processes import gateway, simulated
from loadtests.simulated_vllm import SimulatedVllm, Simulation
from principles_store.loading import load_principles
from principles_store.paths import Places
from principles_store.schema import Polarity

QUESTION = "I have had a sore throat and a mild cough for {n} days. Can I take ibuprofen 400 mg with paracetamol?"
UPSTREAM = Simulation(ttft_s=0.2, inter_token_s=0.02, answer_tokens=300, edits_tokens=100, max_model_len=16384)
_SURE = 0.99


@dataclass(slots=True)
class Sample:
    """One round: seconds of the three, asked one after the other, and the guarded replies."""

    plain_s: float
    passing_s: float
    revised_s: float
    passing: dict[str, Any] = field(repr=False)
    revised: dict[str, Any] = field(repr=False)


def complying(failing: frozenset[str] = frozenset()) -> Callable[[str, str], float]:
    """A judge that finds every criterion complied with, but those in `failing` until edits have put them in."""
    polarity = {c.text: c.polarity for p in load_principles(Places.from_environment().principles) for c in p.criteria}

    def presence(criterion: str, draft: str) -> float:
        if criterion in failing:
            return _SURE if criterion in draft else 1 - _SURE
        wanted = polarity.get(criterion, Polarity.MUST_NOT) is Polarity.MUST
        return _SURE if wanted else 1 - _SURE

    return presence


async def measure(*, rounds: int, progress: Callable[[int], None]) -> list[Sample]:
    """`rounds` rounds of plain, passing and revised."""
    server = SimulatedVllm(UPSTREAM)
    server.presence = complying()
    async with simulated(server) as upstream, gateway("--upstream", upstream) as running:
        return await ask(server, upstream, running.address, rounds=rounds, progress=progress)


async def ask(
    server: SimulatedVllm, upstream: str, address: str, *, rounds: int, progress: Callable[[int], None]
) -> list[Sample]:
    """The rounds, through the gateway at `address` over the simulated server at `upstream`.

    The two heaviest `must` criteria of a first answer, which is not counted, are those that fail in `revised`.
    """
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=120)) as client:
        first = await _chat(client, address, n=1)
        musts = [v for v in first[1]["verdicts"] if v["polarity"] == "must"]
        heaviest = sorted(musts, key=lambda v: -v["weight"])[:2]
        samples = []
        for n in range(2, rounds + 2):
            samples.append(await _round(client, server, upstream, address, n=n, failing=heaviest))
            progress(1)
        return samples


async def _round(
    client: aiohttp.ClientSession,
    server: SimulatedVllm,
    upstream: str,
    address: str,
    *,
    n: int,
    failing: list[dict[str, Any]],
) -> Sample:
    plain_s = await _plain(client, upstream, n=n)
    server.presence = complying()
    passing_s, passing = await _chat(client, address, n=n)
    server.presence = complying(frozenset(v["criterion"] for v in failing))
    revised_s, revised = await _chat(client, address, n=n + 1000)
    return Sample(plain_s, passing_s, revised_s, passing, revised)


async def _plain(client: aiohttp.ClientSession, upstream: str, *, n: int) -> float:
    body = {"model": UPSTREAM.model, "stream": True, "messages": [{"role": "user", "content": QUESTION.format(n=n)}]}
    began = time.perf_counter()
    async with client.post(f"{upstream}/chat/completions", json=body) as reply:
        reply.raise_for_status()
        async for _ in reply.content.iter_any():
            pass
    return time.perf_counter() - began


async def _chat(client: aiohttp.ClientSession, address: str, *, n: int) -> tuple[float, dict[str, Any]]:
    body = {"messages": [{"role": "user", "content": QUESTION.format(n=n)}], "audience": "patient"}
    began = time.perf_counter()
    async with client.post(f"{address}/chat", json=body) as reply:
        parsed: dict[str, Any] = await reply.json()
        if reply.status != 200:
            raise RuntimeError(f"the gateway answered {reply.status}: {parsed['error']['message']}")
    return time.perf_counter() - began, parsed


def summary(samples: list[Sample]) -> dict[str, Any]:
    """Medians and ratios; ratios are taken within each round."""
    last = samples[-1]
    return {
        "rounds": len(samples),
        "criteria": len(last.passing["verdicts"]),
        "plain_s": _median(s.plain_s for s in samples),
        "passing_s": _median(s.passing_s for s in samples),
        "revised_s": _median(s.revised_s for s in samples),
        "passing_ratio": _median(s.passing_s / s.plain_s for s in samples),
        "revised_ratio": _median(s.revised_s / s.plain_s for s in samples),
        "passing_ratio_max": max(s.passing_s / s.plain_s for s in samples),
        "revised_ratio_max": max(s.revised_s / s.plain_s for s in samples),
        "outcomes": sorted({s.passing["outcome"] for s in samples} | {s.revised["outcome"] for s in samples}),
        "revisions_accepted": sum(r["accepted"] for s in samples for r in s.revised["revisions"]),
        "tokens_by_stage": {"passing": last.passing["usage"]["by_stage"], "revised": last.revised["usage"]["by_stage"]},
        "timings_ms": {"passing": last.passing["timings_ms"], "revised": last.revised["timings_ms"]},
    }


def _median(values: Iterable[float]) -> float:
    return round(statistics.median(values), 3)
