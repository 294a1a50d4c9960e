"""Quotas and cached answers of one process, held in memory within bounds."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from service.domain.enquiry import Tenant
from service.state.quota import WINDOW_S, refuse


@dataclass(slots=True)
class _Window:
    ends_at: float
    taken: int


class MemoryQuotas:
    """Counts a tenant's requests in windows of `window_s` seconds, each opened by its first request.

    At most `max_tenants` are remembered: beyond that the window that was opened longest ago is forgotten.
    `clock` gives seconds and never goes back.
    """

    def __init__(
        self,
        *,
        window_s: float = WINDOW_S,
        max_tenants: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._window_s = window_s
        self._max_tenants = max_tenants
        self._clock = clock
        self._windows: OrderedDict[str, _Window] = OrderedDict()

    async def take(self, tenant: Tenant) -> None:
        """Count one request; one that is refused is not counted.

        Raises:
            QuotaExceeded: the window's quota is used up; says when the next one opens.

        """
        limit = tenant.requests_per_minute
        if limit is None:
            return
        window = self._window(tenant.name)
        if window.taken >= limit:
            refuse(limit, retry_after_s=window.ends_at - self._clock())
        window.taken += 1

    def _window(self, name: str) -> _Window:
        now = self._clock()
        window = self._windows.get(name)
        if window is None or window.ends_at <= now:
            window = self._windows[name] = _Window(ends_at=now + self._window_s, taken=0)
            self._windows.move_to_end(name)
            if len(self._windows) > self._max_tenants:
                self._windows.popitem(last=False)
        return window

    def __len__(self) -> int:
        return len(self._windows)


@dataclass(frozen=True, slots=True)
class _Kept:
    answer: bytes
    until: float


class MemoryCache:
    """Answers for `ttl_s` seconds each; when there are too many, or too many bytes, the least recently read goes.

    An answer larger than `max_bytes` is not kept. With a `ttl_s` of 0 nothing is.
    """

    def __init__(
        self,
        *,
        ttl_s: float,
        max_entries: int = 1_000,
        max_bytes: int = 32 * 1024 * 1024,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ttl_s = ttl_s
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._bytes = 0

    async def get(self, key: str) -> bytes | None:
        """The answer, or None where there is none or its time is over."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.until <= self._clock():
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return kept.answer

    async def put(self, key: str, answer: bytes, *, ttl_s: float | None = None) -> None:
        """Keep it, in place of what was there; `ttl_s` where it is to stay longer or shorter than others."""
        self._drop(key)
        stays_s = self._ttl_s if ttl_s is None else ttl_s
        if stays_s <= 0 or len(answer) > self._max_bytes:
            return
        self._kept[key] = _Kept(answer, self._clock() + stays_s)
        self._bytes += len(answer)
        while len(self._kept) > self._max_entries or self._bytes > self._max_bytes:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: str) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._bytes -= len(kept.answer)

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def size_bytes(self) -> int:
        """Bytes of all the answers that are kept."""
        return self._bytes
