"""A circuit breaker: after several failures in a row, and a question of its own that failed too, nobody is sent on.

The question is what tells a server that is ill from requests that make a well one fail: no request of a tenant, however
often it is sent, opens the circuit for the others, or holds it open.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from enum import StrEnum

from service.domain.errors import EngineGarbled, EngineRefused, EngineUnavailable
from service.engines.retry import Busy

IsWell = Callable[[], Awaitable[bool]]


class Circuit(StrEnum):
    """Closed lets all through, open nobody, half-open whoever comes after the server was seen to be well."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


# A server that refuses or has no room is alive.
_WELL = (EngineRefused, Busy)
_ILL = (EngineUnavailable, EngineGarbled)


class Breaker:
    """Opens after `threshold` failures in a row if the server is not well, and asks again `cool_down_s` seconds later.

    `clock` gives seconds and never goes back.
    """

    def __init__(
        self, *, threshold: int = 5, cool_down_s: float = 5.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._threshold = threshold
        self._cool_down_s = cool_down_s
        self._clock = clock
        self._failures = 0
        self._opened_at: float | None = None
        self._asking = False

    @property
    def circuit(self) -> Circuit:
        """Where it stands now."""
        if self._opened_at is None:
            return Circuit.CLOSED
        cooled = self._clock() - self._opened_at >= self._cool_down_s
        return Circuit.HALF_OPEN if cooled else Circuit.OPEN

    @asynccontextmanager
    async def guard(self, is_well: IsWell) -> AsyncIterator[None]:
        """Lets one call through and learns from how it ends; a cancelled or timed-out one teaches nothing.

        `is_well` asks the server something that a well one can answer; it is asked by one call at a time.

        Raises:
            EngineUnavailable: the circuit is open, or half-open while the server is being asked, or still ill.

        """
        await self._admit(is_well)
        try:
            yield
        except _WELL:
            self.reset()
            raise
        except _ILL:
            await self._fail(is_well)
            raise
        else:
            self.reset()

    def reset(self) -> None:
        """Close the circuit: the server was seen to work."""
        self._failures, self._opened_at = 0, None

    async def _admit(self, is_well: IsWell) -> None:
        circuit = self.circuit
        if circuit is Circuit.CLOSED:
            return
        if circuit is Circuit.HALF_OPEN and not self._asking:
            await self._ask(is_well)
        if self.circuit is not Circuit.CLOSED:
            raise EngineUnavailable("the engine failed several times in a row and is left alone for a moment")

    async def _fail(self, is_well: IsWell) -> None:
        self._failures += 1
        # A late failure of a call from before does not make an open circuit's cool-down longer.
        if self._failures >= self._threshold and self.circuit is Circuit.CLOSED and not self._asking:
            await self._ask(is_well)

    async def _ask(self, is_well: IsWell) -> None:
        self._asking = True
        try:
            well = await is_well()
        finally:
            self._asking = False
        if well:
            self.reset()
        else:
            self._opened_at = self._clock()
