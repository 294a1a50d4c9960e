"""The gateway with everything embedded: how soon it serves, what it holds in memory, how long an answer takes."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from loadtests.processes import gateway

QUESTIONS = (
    "I have had a sore throat and a mild cough for three days. Can I take ibuprofen 400 mg?",
    "My blood pressure was 142 over 88 this morning. Is that high?",
    "I forgot my evening metformin 500 mg. Should I take two tomorrow?",
    "My daughter is 4 and has a fever of 38.5. How much paracetamol can she have?",
    "I feel low since my father died two months ago and sleep badly.",
    "What does a potassium of 5.4 mean?",
)


@dataclass(frozen=True, slots=True)
class Asked:
    """One answer: its seconds, and what its judge calls cost (None where nothing was judged)."""

    seconds: float
    judged: Mapping[str, int] | None


async def measure(*, progress: Callable[[int], None]) -> dict[str, Any]:
    """Ask the questions one after the other and look at the process."""
    async with gateway() as running:
        asked = await ask(running.address, progress=progress)
        return summary(asked, ready_s=running.ready_s, resident_mb=running.resident_mb())


async def ask(address: str, *, progress: Callable[[int], None]) -> list[Asked]:
    """Each question through POST /chat of a gateway."""
    found = []
    async with aiohttp.ClientSession() as client:
        for question in QUESTIONS:
            began = time.perf_counter()
            body = {"messages": [{"role": "user", "content": question}]}
            async with client.post(f"{address}/chat", json=body) as reply:
                reply.raise_for_status()
                judged = (await reply.json())["usage"]["by_stage"].get("judge")
            found.append(Asked(time.perf_counter() - began, judged))
            progress(1)
    return found


def summary(asked: Sequence[Asked], *, ready_s: float, resident_mb: float) -> dict[str, Any]:
    """The median answer, and how much of all that the judge was asked came from the cache."""
    spent = [one.judged for one in asked if one.judged]
    return {
        "ready_s": ready_s,
        "resident_mb": resident_mb,
        "answers": len(asked),
        "answer_s": statistics.median(one.seconds for one in asked),
        "judge_cached_share": sum(u["cached_tokens"] for u in spent) / max(1, sum(u["prompt_tokens"] for u in spent)),
    }
