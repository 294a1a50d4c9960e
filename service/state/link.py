"""The connection to Redis: short timeouts, a pause after a failure, and a plain word on whether it is up."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from service.domain.errors import SettingsError
from service.observability.logs import event
from service.observability.metrics import Metrics

if TYPE_CHECKING:
    from redis.asyncio import Redis

Reply = TypeVar("Reply")


class LinkDown(Exception):
    """Redis did not answer, or failed a moment ago; what was to be done there was not."""


class Link:
    """Calls to one Redis, each over within `limit_s` seconds.

    After a failure nobody calls for `cool_down_s`, so that an outage costs a request nothing but the first wait.
    A failure and a recovery are each logged once; every call that failed or was not made is counted.
    """

    def __init__(
        self,
        url: str,
        *,
        metrics: Metrics,
        limit_s: float = 0.5,
        cool_down_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        # Imported where it is used: a gateway without Redis starts a sixth of a second sooner.
        from redis.exceptions import RedisError  # noqa: PLC0415 - as above

        self._failures = (RedisError, OSError, TimeoutError)
        self.redis = _client(url, limit_s=limit_s)
        self._metrics = metrics
        self._limit_s = limit_s
        self._cool_down_s = cool_down_s
        self._clock = clock
        self._down_until: float | None = None

    @property
    def up(self) -> bool:
        """Whether the last call was answered."""
        return self._down_until is None

    async def call(self, store: str, command: Callable[[], Awaitable[Reply]]) -> Reply:
        """The reply to one command; `store` names what it is for.

        Raises:
            LinkDown: there was none.

        """
        if self._down_until is not None and self._clock() < self._down_until:
            self._metrics.state_failures.labels(store).inc()
            raise LinkDown
        try:
            async with asyncio.timeout(self._limit_s):
                reply = await command()
        except self._failures as error:
            self._failed(store, error)
            raise LinkDown from error
        self._answered()
        return reply

    async def ping(self) -> bool:
        """Whether Redis answers now: for the readiness route, which reports it and stays ready."""
        try:
            await self.call("ping", self.redis.ping)
        except LinkDown:
            return False
        return True

    async def aclose(self) -> None:
        """Close every connection."""
        await self.redis.aclose()

    def _failed(self, store: str, error: Exception) -> None:
        if self._down_until is None:
            # The class alone: a message of Redis may carry its address and password.
            event("state.redis_down", level=logging.WARNING, store=store, error=type(error).__name__)
        self._down_until = self._clock() + self._cool_down_s
        self._metrics.state_failures.labels(store).inc()
        self._metrics.state_down.set(1)

    def _answered(self) -> None:
        if self._down_until is not None:
            event("state.redis_up")
        self._down_until = None
        self._metrics.state_down.set(0)


def _client(url: str, *, limit_s: float) -> "Redis":
    from redis.asyncio import BlockingConnectionPool, Redis  # noqa: PLC0415 - see __init__
    from redis.asyncio.retry import Retry  # noqa: PLC0415
    from redis.backoff import NoBackoff  # noqa: PLC0415
    from redis.exceptions import ConnectionError as RedisConnectionError  # noqa: PLC0415

    # One retry, on a lost connection alone: after a restart of Redis every pooled connection is stale.
    retry = Retry(NoBackoff(), retries=1, supported_errors=(RedisConnectionError,))
    try:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=32,
            timeout=limit_s,
            socket_timeout=limit_s,
            socket_connect_timeout=limit_s,
            retry=retry,
        )
    except ValueError as error:
        raise SettingsError("redis_url: write it as redis://[:password@]host:port/number, or rediss:// for TLS") from (
            error
        )
    return Redis.from_pool(pool)
