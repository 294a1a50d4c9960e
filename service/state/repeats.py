"""Finished replies of requests that may be sent again, and who works on one: in memory, or in Redis."""

import time
from collections.abc import Callable
from typing import cast

from service.state.link import Link, LinkDown
from service.state.memory import MemoryCache
from service.state.redis import PREFIX

# A claim outlives a worker that died by no more than this; one that lives renews it.
CLAIM_S = 30.0
_MOST_BYTES = 4 * 1024 * 1024

# One step for Redis each: what is there, else the claim is put there; and another value in a claim's own place.
_CLAIM = """
local found = redis.call('GET', KEYS[1])
if found then return found end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return false
"""
_REPLACE = """
local found = redis.call('GET', KEYS[1])
if found and found ~= ARGV[1] then return 0 end
if ARGV[2] == '' then return redis.call('DEL', KEYS[1]) end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""


class MemoryRepeats:
    """Replies for `ttl_s` seconds each, within bounds; the least recently asked for goes first."""

    def __init__(self, *, ttl_s: float, claim_s: float = CLAIM_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._claim_s = claim_s
        self._ttl_s = ttl_s
        self._kept = MemoryCache(ttl_s=ttl_s, clock=clock)

    async def claim(self, name: str, claim: bytes) -> bytes | None:
        """What is there; with nothing there, the claim is from now on."""
        found = await self._kept.get(name)
        if found is None:
            await self._kept.put(name, claim, ttl_s=self._claim_s)
        return found

    async def renew(self, name: str, claim: bytes) -> None:
        """Hold on to a claim."""
        await self._replace(name, claim, claim, ttl_s=self._claim_s)

    async def finish(self, name: str, claim: bytes, reply: bytes) -> None:
        """Put the reply in the claim's place; one of more than 4 MiB only ends the claim."""
        await self._replace(name, claim, reply if len(reply) <= _MOST_BYTES else b"", ttl_s=self._ttl_s)

    async def drop(self, name: str, claim: bytes) -> None:
        """Give a claim up."""
        await self._replace(name, claim, b"", ttl_s=0)

    async def _replace(self, name: str, claim: bytes, value: bytes, *, ttl_s: float) -> None:
        if await self._kept.get(name) in {None, claim}:
            await self._kept.put(name, value, ttl_s=ttl_s if value else 0)


class RedisRepeats:
    """The same over all gateways. While Redis is down each gateway keeps what it finished itself, in memory."""

    def __init__(
        self, link: Link, *, ttl_s: float, claim_s: float = CLAIM_S, meanwhile: MemoryRepeats | None = None
    ) -> None:
        self._link = link
        self._meanwhile = meanwhile or MemoryRepeats(ttl_s=ttl_s, claim_s=claim_s)
        self._ttl_ms = int(ttl_s * 1000)
        self._claim_ms = int(claim_s * 1000)
        self._claim = link.redis.register_script(_CLAIM)
        self._replace = link.redis.register_script(_REPLACE)

    async def claim(self, name: str, claim: bytes) -> bytes | None:
        """What is there; with nothing there, the claim is from now on."""

        async def call() -> bytes | None:
            return cast("bytes | None", await self._claim(keys=[_key(name)], args=[claim, self._claim_ms]))

        try:
            return await self._link.call("repeats", call)
        except LinkDown:
            return await self._meanwhile.claim(name, claim)

    async def renew(self, name: str, claim: bytes) -> None:
        """Hold on to a claim."""
        if not await self._replaced(name, claim, claim, ttl_ms=self._claim_ms):
            await self._meanwhile.renew(name, claim)

    async def finish(self, name: str, claim: bytes, reply: bytes) -> None:
        """Put the reply in the claim's place; one of more than 4 MiB only ends the claim."""
        value = reply if len(reply) <= _MOST_BYTES else b""
        if not await self._replaced(name, claim, value, ttl_ms=self._ttl_ms):
            await self._meanwhile.finish(name, claim, reply)

    async def drop(self, name: str, claim: bytes) -> None:
        """Give a claim up."""
        if not await self._replaced(name, claim, b"", ttl_ms=0):
            await self._meanwhile.drop(name, claim)

    async def _replaced(self, name: str, claim: bytes, value: bytes, *, ttl_ms: int) -> bool:
        """Whether Redis was there to be told."""

        async def call() -> None:
            await self._replace(keys=[_key(name)], args=[claim, value, ttl_ms])

        try:
            await self._link.call("repeats", call)
        except LinkDown:
            return False
        return True


def _key(name: str) -> str:
    return f"{PREFIX}repeat:{name}"
