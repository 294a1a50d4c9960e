"""Far more requests than places, and a signal to end in the middle of work: memory, statuses, and who is answered."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp

from loadtests.processes import RunningGateway, gateway, simulated
from loadtests.robustness.cancel import body_of
from loadtests.robustness.model import DeterministicModel, Pace
from loadtests.robustness.sayings import Manner

PLACES = 4
_WELL = Manner(complies=1.0, stubborn=0.0, long=0.0)
_PACE = Pace(first_s=0.02, token_s=0.001)
_PATIENCE_S = 300.0


@dataclass(slots=True)
class Flood:
    """What became of so many requests at once, in each of several floods; `most_mb` is memory in MB (10^6 bytes)."""

    requests: int
    queued: int
    statuses: Counter[int] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    without_retry_after: int = 0
    dropped: int = 0
    before_mb: float = 0.0
    most_mb: list[float] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class End:
    """A signal while four requests are worked on: how they ended, what a newcomer got, seconds to the process's end."""

    signals: int
    inside: tuple[str, ...]
    newcomer: str
    seconds: float


async def flood(*, count: int, progress: Callable[[int], None], times: int = 2, queued: int = 128) -> Flood:
    """`count` requests at once against four places, and the same again: memory that leaks would grow each time."""
    environment = {"CLINALIGN_MAX_RUNNING": str(PLACES), "CLINALIGN_MAX_QUEUED": str(queued)}
    async with (
        simulated(DeterministicModel(_PACE, manner=_WELL)) as upstream,
        gateway("--upstream", upstream, environment=environment) as running,
        _client() as client,
    ):
        await _ask(client, running, case=0, stream=False)  # what is loaded at the first request is no growth
        found = Flood(count, queued, before_mb=running.resident_mb())
        began = time.monotonic()

        async def one(case: int) -> None:
            await _counted(client, running, found, case=case)
            progress(1)

        for _ in range(times):
            found.most_mb.append(0.0)
            watching = asyncio.create_task(_most(running, found))
            await asyncio.gather(*(one(case) for case in range(count)))
            watching.cancel()
            await asyncio.wait({watching})
        found.seconds = time.monotonic() - began
        return found


async def _counted(client: aiohttp.ClientSession, running: RunningGateway, found: Flood, *, case: int) -> None:
    try:
        status, headers, text = await _ask(client, running, case=case, stream=case % 2 == 0)
    except aiohttp.ClientError:
        found.dropped += 1
        return
    found.statuses[status] += 1
    if status == 200:
        found.outcomes["released" if '"outcome":"released"' in text else "another outcome"] += 1
    elif not headers.get("Retry-After", "").isdigit():
        found.without_retry_after += 1


async def _most(running: RunningGateway, found: Flood) -> None:
    while True:
        found.most_mb[-1] = max(found.most_mb[-1], running.resident_mb())
        await asyncio.sleep(0.1)


async def endings(*, signals: int) -> End:
    """Four requests inside, then so many signals, half a second apart."""
    slow = DeterministicModel(Pace(first_s=1.0, token_s=0.02), manner=_WELL)
    async with simulated(slow) as upstream, gateway("--upstream", upstream) as running, _client() as client:
        inside = [asyncio.create_task(_ask(client, running, case=n, stream=n % 2 == 0)) for n in range(PLACES)]
        while len(slow.running) < PLACES:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.02)
        began = time.monotonic()
        os.kill(running.pid, signal.SIGTERM)
        await asyncio.sleep(0.5)
        newcomer = _told(*(await _ask(client, running, case=9, stream=False))[:2])
        if signals > 1:
            os.kill(running.pid, signal.SIGTERM)
        replies = await asyncio.gather(*inside, return_exceptions=True)
        while _lives(running.pid):  # noqa: ASYNC110 - a process that is no child of this task
            await asyncio.sleep(0.05)
        seconds = time.monotonic() - began
    told = tuple("cut off" if isinstance(reply, BaseException) else _ended(*reply) for reply in replies)
    return End(signals, told, newcomer, seconds)


def _lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123 - a file that may vanish
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def _ended(status: int, headers: dict[str, str], text: str) -> str:
    if status == 200 and '"outcome":"released"' in text:
        return "200, released"
    return _told(status, headers) if status != 200 else "200, stream ends with an error"


def _told(status: int, headers: dict[str, str]) -> str:
    after = headers.get("Retry-After")
    return f"{status}, Retry-After {after}" if after else str(status)


async def _ask(
    client: aiohttp.ClientSession, running: RunningGateway, *, case: int, stream: bool
) -> tuple[int, dict[str, str], str]:
    body = {**body_of("/chat", case), "stream": stream}
    async with client.post(f"{running.address}/chat", json=body) as reply:
        return reply.status, dict(reply.headers), await reply.text()


def _client() -> aiohttp.ClientSession:
    timeout = aiohttp.ClientTimeout(total=_PATIENCE_S)
    # Each on a connection of its own: a kept one may be closed by the gateway, idle for 5 s, just as it is used again.
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    return aiohttp.ClientSession(connector=connector, timeout=timeout)
