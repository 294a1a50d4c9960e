"""Servers for a load test: the simulated vLLM in this process, the gateway in one of its own."""

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from aiohttp import web

_SERVING = re.compile(r'"gateway\.serving".*"address": "(?P<address>[^"]+)"')
_START_S = 300.0
_END_S = 60.0  # more than the drain of 30 s that a gateway may take


class Servable(Protocol):
    """A stand-in for a model's server."""

    def app(self) -> web.Application:
        """What it serves."""
        ...


@dataclass(frozen=True, slots=True)
class RunningGateway:
    """Its address, the seconds it took to answer, its process, and the lines that it has logged since."""

    address: str
    ready_s: float
    pid: int
    log: list[str] = field(default_factory=list)

    def resident_mb(self) -> float:
        """Resident memory in MB (10^6 bytes), from /proc."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) * 1024 / 1e6


@asynccontextmanager
async def simulated(server: Servable) -> AsyncIterator[str]:
    """Serve it on a free loopback port; gives the base URL, ending in /v1."""
    runner = web.AppRunner(server.app(), handler_cancellation=True, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def gateway(*arguments: str, environment: Mapping[str, str] | None = None) -> AsyncIterator[RunningGateway]:
    """`clinalign serve --port 0 ...` until the context ends."""
    began = time.monotonic()
    command = str(Path(sys.executable).parent / "clinalign")
    process = await asyncio.create_subprocess_exec(
        command,
        "serve",
        "--port",
        "0",
        *arguments,
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        env={**os.environ, **(environment or {})},
    )
    drained: asyncio.Task[None] | None = None
    try:
        async with asyncio.timeout(_START_S):
            address = await _address(process)
        running = RunningGateway(address, time.monotonic() - began, process.pid)
        drained = asyncio.create_task(_drain(process, running.log))
        yield running
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(_END_S):
                await process.wait()
        if drained is not None:
            await drained


async def _address(process: asyncio.subprocess.Process) -> str:
    if process.stderr is None:
        raise RuntimeError("the gateway was started without its log")
    seen: list[str] = []
    async for line in process.stderr:
        seen.append(line.decode())
        if found := _SERVING.search(seen[-1]):
            return found["address"]
    raise RuntimeError("the gateway did not start:\n" + "".join(seen[-5:]))


async def _drain(process: asyncio.subprocess.Process, log: list[str]) -> None:
    """Read the log, so that a full pipe never blocks the gateway."""
    if process.stderr is not None:
        async for line in process.stderr:
            log.append(line.decode())  # noqa: PERF401 - others read the list meanwhile
