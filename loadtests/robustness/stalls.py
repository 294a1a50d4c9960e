"""How long the machine held this process up: a figure beside every figure that is measured in seconds."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

_TICK_S = 0.02


@dataclass(slots=True)
class Stalls:
    """The longest in seconds so far."""

    longest_s: float = 0.0


@asynccontextmanager
async def stalls() -> AsyncIterator[Stalls]:
    """Watch this process's event loop while the context lasts."""
    found = Stalls()

    async def tick() -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(_TICK_S)
            found.longest_s = max(found.longest_s, time.monotonic() - began - _TICK_S)

    ticking = asyncio.create_task(tick())
    try:
        yield found
    finally:
        ticking.cancel()
        await asyncio.wait({ticking})
