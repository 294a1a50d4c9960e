"""Clients that leave at random moments, and deadlines that pass: what still runs upstream a second later.

Against the deterministic model each cancel is told by the stage it fell in; against a server with vLLM's metrics, what
it says is running and waiting is looked at after 1, 2 and 5 s.
"""

import asyncio
import random
import re
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from loadtests.processes import gateway, simulated
from loadtests.robustness.model import DeterministicModel, Pace
from loadtests.robustness.sayings import Manner, Stage

PATHS = ("/chat", "/v1/chat/completions", "/v1/responses", "/v1/completions")
# About 0.8 s an answer that passes, and few do; 2 s and more for one that is mended: every stage is met by many.
_MANNER = Manner(complies=0.75, long=0.0)
PACE = Pace(first_s=0.25, token_s=0.004)
LOOKS_S = (1.0, 2.0, 5.0)
# A gateway that is drowned sees most of its clients leave before any call was made; these are to leave in the middle.
AT_ONCE = 4
_PATIENCE_S = 60.0
# A model with a small context has room for no more than this of a draft and of its edits.
_SMALL = {"CLINALIGN_DRAFT_TOKENS": "256", "CLINALIGN_EDITS_TOKENS": "256"}
_GAUGES = re.compile(r"^vllm:num_requests_(?:running|waiting)(?:\{[^}]*\})? (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Ended:
    """One request that was ended early, or not: how it was asked, and the stage of the upstream calls that it ended.

    `running` are calls of its that still ran a second later; `took_s` is the time from the client's leaving, or the
    deadline, to the end of its last call.
    """

    case: int
    stream: bool
    early: bool
    stage: Stage | None
    took_s: float
    running: int


@dataclass(slots=True)
class Watched:
    """What vLLM said: the most requests at once while clients were there, and those left some seconds after.

    Clients left within `within_s` of their asking.
    """

    requests: int = 0
    within_s: float = 0.0
    cancelled: int = 0
    most: float = 0.0
    after: dict[float, float] = field(default_factory=dict)


def body_of(path: str, case: int) -> dict[str, Any]:
    """A question that carries its number."""
    question = f"Case {case}: I have had a sore throat for three days. Can I take ibuprofen?"
    match path:
        case "/v1/responses":
            return {"input": question}
        case "/v1/completions":
            return {"prompt": question}
        case _:
            return {"messages": [{"role": "user", "content": question}]}


async def clients_leave(*, count: int, within_s: float = 2.6, seed: int = 7) -> list[Ended]:
    """`count` requests, half of them streams, whose clients leave at random moments; a gateway of its own."""
    model, chance = DeterministicModel(PACE, manner=_MANNER), random.Random(seed)
    async with simulated(model) as upstream, gateway("--upstream", upstream) as running, _client() as client:
        few = asyncio.Semaphore(AT_ONCE)

        async def one(case: int, after_s: float) -> Ended:
            path = PATHS[case // 2 % len(PATHS)]
            async with few:
                early = await _leaves(client, running.address + path, body_of(path, case), case=case, after_s=after_s)
            return await _looked(model, case, early=early, at=time.monotonic())

        return await asyncio.gather(*(one(case, chance.uniform(0.02, within_s)) for case in range(count)))


async def deadlines_pass(*, count: int, within_ms: int = 2600, seed: int = 7) -> list[Ended]:
    """`count` requests, half of them streams, whose deadlines pass at random moments."""
    model, chance = DeterministicModel(PACE, manner=_MANNER), random.Random(seed)
    async with simulated(model) as upstream, gateway("--upstream", upstream) as running, _client() as client:
        few = asyncio.Semaphore(AT_ONCE)

        async def one(case: int, deadline_ms: int) -> Ended:
            body = {**body_of("/chat", case), "stream": case % 2 == 0, "options": {"deadline_ms": deadline_ms}}
            async with few:
                at = time.monotonic() + deadline_ms / 1000
                async with client.post(f"{running.address}/chat", json=body) as reply:
                    early = '"outcome_reason":"deadline"' in await reply.text()
            return await _looked(model, case, early=early, at=at)

        return await asyncio.gather(*(one(case, chance.randint(50, within_ms)) for case in range(count)))


async def against(upstream: str, *, count: int, within_s: float, seed: int = 7) -> Watched:
    """Clients that leave, in front of a server that is there, by its own metrics."""
    found, chance = Watched(requests=count, within_s=within_s), random.Random(seed)
    async with gateway("--upstream", upstream, environment=_SMALL) as running, _client() as client:

        async def look() -> float:
            async with client.get(f"{upstream.removesuffix('/v1')}/metrics") as reply:
                return sum(map(float, _GAUGES.findall(await reply.text())))

        async def watch() -> None:
            while True:
                found.most = max(found.most, await look())
                await asyncio.sleep(0.1)

        few = asyncio.Semaphore(AT_ONCE)

        async def one(case: int, after_s: float) -> bool:
            path = PATHS[case // 2 % len(PATHS)]
            async with few:
                return await _leaves(client, running.address + path, body_of(path, case), case=case, after_s=after_s)

        watching = asyncio.create_task(watch())
        left = await asyncio.gather(*(one(case, chance.uniform(0.02, within_s)) for case in range(count)))
        watching.cancel()
        await asyncio.wait({watching})
        found.cancelled = sum(left)
        found.after = await _looks(look)
    return found


async def _leaves(client: aiohttp.ClientSession, url: str, body: dict[str, Any], *, case: int, after_s: float) -> bool:
    """Whether the client left before the reply was whole; even cases stream."""
    try:
        async with asyncio.timeout(after_s), client.post(url, json={**body, "stream": case % 2 == 0}) as reply:
            await reply.read()
            reply.raise_for_status()
    except TimeoutError:
        return True
    return False


async def _looked(model: DeterministicModel, case: int, *, early: bool, at: float) -> Ended:
    """What a second later has become of this request's calls; `at` is when it should have ended."""
    await asyncio.sleep(max(0.0, at + 1 - time.monotonic()))
    mine = [call for call in model.calls if call.case == case]
    running = sum(not call.ended for call in mine)
    aborted = [call for call in mine if call.ended == "aborted"]
    took_s = max((call.ended_at - at for call in aborted), default=0.0)
    stage = aborted[-1].stage if early and aborted else None
    return Ended(case, case % 2 == 0, early, stage, max(0.0, took_s), running)


async def _looks(look: Callable[[], Awaitable[float]]) -> dict[float, float]:
    seen: dict[float, float] = {0.0: await look()}
    began = time.monotonic()
    for after_s in LOOKS_S:
        await asyncio.sleep(max(0.0, began + after_s - time.monotonic()))
        seen[after_s] = await look()
    return seen


def _client() -> aiohttp.ClientSession:
    timeout = aiohttp.ClientTimeout(total=_PATIENCE_S)
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout)


def tally(ended: Sequence[Ended]) -> list[dict[str, object]]:
    """One row for streams, one for plain requests: how many ended early, in which stage, and what ran on."""
    rows: list[dict[str, object]] = []
    for name, stream in (("streams", True), ("plain", False)):
        mine = [one for one in ended if one.stream is stream]
        early = [one for one in mine if one.early]
        by_stage = {stage.value: sum(one.stage is stage for one in early) for stage in _STAGES}
        rows.append(
            {
                "requests": f"{len(mine)} {name}",
                "ended early": len(early),
                **by_stage,
                "between calls": sum(one.stage is None for one in early),
                "calls left after 1 s": sum(one.running for one in mine),
                "median end s": round(statistics.median([one.took_s for one in early if one.stage] or [0.0]), 3),
                "slowest end s": round(max((one.took_s for one in early), default=0.0), 3),
            }
        )
    return rows


_STAGES = (Stage.DRAFT, Stage.JUDGE, Stage.REVISE)
