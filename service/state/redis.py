"""Quotas and cached answers shared by every gateway that is given the same Redis."""

from typing import cast

from service.domain.enquiry import Tenant
from service.state.link import Link, LinkDown
from service.state.memory import MemoryQuotas
from service.state.quota import WINDOW_S, refuse

# All names begin alike, so that a shared Redis can be cleaned or given an access rule by prefix.
PREFIX = "clinalign:"

# One step for Redis, by its own clock: counts a request and answers 0, or the milliseconds until the window ends.
_TAKE = """
local taken = redis.call('GET', KEYS[1])
if not taken then
  redis.call('SET', KEYS[1], 1, 'PX', ARGV[2])
  return 0
end
if tonumber(taken) >= tonumber(ARGV[1]) then
  return math.max(1, redis.call('PTTL', KEYS[1]))
end
redis.call('INCR', KEYS[1])
return 0
"""


class RedisQuotas:
    """Counts a tenant's requests over all gateways, in windows opened by their first request.

    While Redis is down each gateway counts on its own, in memory. So an outage neither stops care (as refusing
    everything would) nor lets a tenant loose (as counting nothing would): at worst a tenant gets its quota once a
    gateway. `/readyz`, the gauge `clinalign_state_down` and the event `state.redis_down` show it.
    """

    def __init__(self, link: Link, *, meanwhile: MemoryQuotas | None = None, window_s: float = WINDOW_S) -> None:
        self._link = link
        self._meanwhile = meanwhile or MemoryQuotas(window_s=window_s)
        self._window_ms = int(window_s * 1000)
        self._script = link.redis.register_script(_TAKE)

    async def take(self, tenant: Tenant) -> None:
        """Count one request; one that is refused is not counted.

        Raises:
            QuotaExceeded: the window's quota is used up; says when the next one opens.

        """
        limit = tenant.requests_per_minute
        if limit is None:
            return
        try:
            wait_ms = await self._link.call("quota", lambda: self._taken(tenant.name, limit))
        except LinkDown:
            await self._meanwhile.take(tenant)
            return
        if wait_ms:
            refuse(limit, retry_after_s=wait_ms / 1000)

    async def _taken(self, name: str, limit: int) -> int:
        return int(await self._script(keys=[f"{PREFIX}quota:{name}"], args=[limit, self._window_ms]))


class RedisCache:
    """Answers for `ttl_s` seconds each. While Redis is down every look-up is a miss and nothing is kept.

    Each answer is stored under its key's name and is handed out only if that name comes back with it: one person's
    answer must never reach another, whatever becomes of a connection.
    """

    def __init__(self, link: Link, *, ttl_s: float, max_answer_bytes: int = 1024 * 1024) -> None:
        self._link = link
        self._ttl_ms = int(ttl_s * 1000)
        self._max_answer_bytes = max_answer_bytes

    async def get(self, key: str) -> bytes | None:
        """The answer, or None."""

        async def read() -> bytes | None:
            return cast("bytes | None", await self._link.redis.get(_name(key)))

        try:
            kept = await self._link.call("cache", read)
        except LinkDown:
            return None
        label = _label(key)
        return kept.removeprefix(label) if kept is not None and kept.startswith(label) else None

    async def put(self, key: str, answer: bytes) -> None:
        """Keep it, in place of what was there."""

        async def write() -> None:
            await self._link.redis.set(_name(key), _label(key) + answer, px=self._ttl_ms)

        if self._ttl_ms <= 0 or len(answer) > self._max_answer_bytes:
            return
        try:
            await self._link.call("cache", write)
        except LinkDown:
            return


def _name(key: str) -> str:
    return f"{PREFIX}answer:{key}"


def _label(key: str) -> bytes:
    return f"{key}\n".encode()
