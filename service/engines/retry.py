"""When a failed call may be made again, and how long to wait before it."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TypeVar

from service.domain.deadline import Deadline
from service.domain.errors import EngineUnavailable

T = TypeVar("T")


class TryAgain(EngineUnavailable):
    """The call failed before any of its answer came, so it may be made again; `after_s` is the server's own wish."""

    def __init__(self, message: str, *, after_s: float | None = None) -> None:
        super().__init__(message)
        self.after_s = after_s


class Busy(TryAgain):
    """429: the server lives, and has no room now."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Full jitter: before attempt n+1 wait anything up to `base_s` * 2^n, at most `cap_s`. Seconds."""

    retries: int = 2
    base_s: float = 0.2
    cap_s: float = 5.0
    uniform: Callable[[float, float], float] = random.SystemRandom().uniform

    def delay(self, attempt: int, *, after_s: float | None = None) -> float:
        """Seconds to wait after attempt number `attempt` (from 0) failed; never less than the server asked for."""
        jitter = self.uniform(0.0, min(self.cap_s, self.base_s * 2.0**attempt))
        return jitter + (after_s or 0.0)

    async def run(self, attempt: Callable[[], Awaitable[T]], *, deadline: Deadline) -> T:
        """The first success; a wait that would outlast the deadline is not begun.

        Raises:
            EngineError: the last attempt's, or at once one that cannot be tried again.

        """
        for tried in range(self.retries):
            try:
                return await attempt()
            except TryAgain as failure:
                pause = self.delay(tried, after_s=failure.after_s)
                if pause >= deadline.remaining():
                    raise
            await asyncio.sleep(pause)
        return await attempt()


def retry_after(header: str | None) -> float | None:
    """Seconds that a Retry-After header asks for: a number or an HTTP date; None where it says neither."""
    if not header:
        return None
    try:
        return _sane(float(header))
    except ValueError:
        pass
    try:
        return _sane(parsedate_to_datetime(header).timestamp() - time.time())
    except (ValueError, OverflowError):
        return None


def _sane(seconds: float) -> float | None:
    """Not a number, or infinite, says nothing; a date that has passed says now."""
    return max(0.0, seconds) if abs(seconds) < float("inf") else None
