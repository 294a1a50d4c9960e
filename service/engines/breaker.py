"""A circuit breaker: after several failures in a row nobody is sent to the server until one probe has come back."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum

from service.domain.errors import EngineGarbled, EngineRefused, EngineUnavailable
from service.engines.retry import Busy


class Circuit(StrEnum):
    """Closed lets all through, open nobody, half-open one probe."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


# A server that refuses or has no room is alive.
_WELL = (EngineRefused, Busy)
_ILL = (EngineUnavailable, EngineGarbled)


class Breaker:
    """Opens after `threshold` failures in a row, and lets a probe through `cool_down_s` seconds later.

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
        self._probing = False

    @property
    def circuit(self) -> Circuit:
        """Where it stands now."""
        if self._opened_at is None:
            return Circuit.CLOSED
        cooled = self._clock() - self._opened_at >= self._cool_down_s
        return Circuit.HALF_OPEN if cooled else Circuit.OPEN

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Lets one call through and learns from how it ends; a cancelled or timed-out one teaches nothing.

        Raises:
            EngineUnavailable: the circuit is open, or half-open with its probe under way.

        """
        probe = self._admit()
        try:
            yield
        except _WELL:
            self.reset()
            raise
        except _ILL:
            self._fail()
            raise
        else:
            self.reset()
        finally:
            if probe:
                self._probing = False

    def reset(self) -> None:
        """Close the circuit: the server was seen to work."""
        self._failures, self._opened_at = 0, None

    def _admit(self) -> bool:
        """Whether the admitted call is the probe."""
        circuit = self.circuit
        if circuit is Circuit.CLOSED:
            return False
        if circuit is Circuit.OPEN or self._probing:
            raise EngineUnavailable("the engine failed several times in a row and is left alone for a moment")
        self._probing = True
        return True

    def _fail(self) -> None:
        self._failures += 1
        # A late failure of a call from before does not make an open circuit's cool-down longer.
        if self._failures >= self._threshold and self.circuit is not Circuit.OPEN:
            self._opened_at = self._clock()
