"""The gateway with everything embedded: how soon it serves, what it holds in memory, how long an answer takes."""

import statistics
import time
from collections.abc import Callable
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


async def measure(*, progress: Callable[[int], None]) -> dict[str, Any]:
    """Ask the questions one after the other and look at the process."""
    async with gateway() as running, aiohttp.ClientSession() as client:
        seconds, judged = [], []
        for question in QUESTIONS:
            began = time.perf_counter()
            body = {"messages": [{"role": "user", "content": question}]}
            async with client.post(f"{running.address}/chat", json=body) as reply:
                reply.raise_for_status()
                judged.append((await reply.json())["usage"]["by_stage"].get("judge"))
            seconds.append(time.perf_counter() - began)
            progress(1)
        spent = [usage for usage in judged if usage]
        return {
            "ready_s": running.ready_s,
            "resident_mb": running.resident_mb(),
            "answers": len(seconds),
            "answer_s": statistics.median(seconds),
            "judge_cached_share": sum(u["cached_tokens"] for u in spent)
            / max(1, sum(u["prompt_tokens"] for u in spent)),
        }
