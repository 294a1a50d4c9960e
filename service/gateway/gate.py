"""The gate: so many answers are worked on at once, so many wait, and the rest are told to come again.

The wicket beside it is for work that takes no model call.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from service.domain.deadline import Deadline
from service.domain.errors import Overloaded
from service.observability.metrics import Metrics

_COME_AGAIN_S = 5.0


class Gate:
    """`running` answers at once and `queued` waiting; first come, first served."""

    def __init__(self, *, running: int, queued: int, metrics: Metrics) -> None:
        self._room = asyncio.Semaphore(running)
        self._running = running
        self._queued = queued
        self._inside = 0
        self._waiting = 0
        self._metrics = metrics

    def revisions(self, most: int) -> int:
        """How many rounds of revision there is room for: fewer once the queue is more than half full, none at its end.

        One answer less well mended costs a person less than one that is not given.
        """
        if not self._waiting or not self._queued:
            return most
        return max(0, min(most, 2 * most * (self._queued - self._waiting) // self._queued))

    @contextmanager
    def ticket(self) -> Iterator[None]:
        """The right to wait for a place, for as long as the context lasts.

        Raises:
            Overloaded: as many hold one as may.

        """
        if self._inside >= self._running + self._queued:
            raise Overloaded("the gateway has as many requests as it can hold", retry_after_s=_COME_AGAIN_S)
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    @asynccontextmanager
    async def place(self, deadline: Deadline) -> AsyncIterator[None]:
        """A place to work at.

        A request whose deadline passes while it waits goes on without one: the pipeline sees that there is no time
        left, does no work, and answers as the tenant's policy says, which no error could.
        """
        has_place = await self._wait(deadline)
        self._metrics.running.inc()
        try:
            yield
        finally:
            self._metrics.running.dec()
            if has_place:
                self._room.release()

    async def _wait(self, deadline: Deadline) -> bool:
        self._waiting += 1
        try:
            with self._metrics.waiting.track_inprogress():
                async with asyncio.timeout(deadline.remaining()):
                    return await self._room.acquire()
        except TimeoutError:
            return False
        finally:
            self._waiting -= 1


class Wicket:
    """`running` pieces of work at once and `queued` waiting: milliseconds of CPU each, which nobody reduces."""

    def __init__(self, *, running: int, queued: int) -> None:
        self._room = asyncio.Semaphore(running)
        self._most = running + queued
        self._inside = 0

    @asynccontextmanager
    async def passed(self) -> AsyncIterator[None]:
        """A place to work at.

        Raises:
            Overloaded: as many are inside as may be.

        """
        if self._inside >= self._most:
            raise Overloaded("the gateway has as many requests as it can hold", retry_after_s=1.0)
        self._inside += 1
        try:
            async with self._room:
                yield
        finally:
            self._inside -= 1
