"""What quotas and the answer cache promise, held against memory and a real Redis alike."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.domain.enquiry import Tenant
from service.domain.errors import QuotaExceeded
from service.gateway.ports import AnswerCache, Quotas
from service.observability.metrics import Metrics
from service.state.link import Link
from service.state.memory import MemoryCache, MemoryQuotas
from service.state.redis import RedisCache, RedisQuotas


@dataclass(frozen=True)
class Stores:
    """Makes either store of one kind."""

    quotas: Callable[[float], Quotas]
    cache: Callable[[float], AnswerCache]


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.redis)])
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[Stores]:
    if request.param == "memory":
        yield Stores(lambda window_s: MemoryQuotas(window_s=window_s), lambda ttl_s: MemoryCache(ttl_s=ttl_s))
        return
    link = Link(request.getfixturevalue("redis_url"), metrics=Metrics(), limit_s=5)
    yield Stores(lambda window_s: RedisQuotas(link, window_s=window_s), lambda ttl_s: RedisCache(link, ttl_s=ttl_s))
    await link.aclose()


def tenant(limit: int | None, name: str = "ward") -> Tenant:
    return Tenant(name=name, requests_per_minute=limit)


async def granted(quotas: Quotas, who: Tenant) -> bool:
    try:
        await quotas.take(who)
    except QuotaExceeded:
        return False
    return True


class TestQuotas:
    async def test_the_request_after_the_last_of_the_quota_is_refused_and_told_when_to_come_again(
        self, stores: Stores
    ) -> None:
        quotas = stores.quotas(60)
        assert [await granted(quotas, tenant(2)) for _ in range(2)] == [True, True]
        with pytest.raises(QuotaExceeded, match="quota of 2 requests a minute") as refused:
            await quotas.take(tenant(2))
        assert 55 <= refused.value.retry_after_s <= 60
        assert refused.value.code == "rate_limit_exceeded"

    async def test_one_tenant_does_not_use_up_anothers_quota(self, stores: Stores) -> None:
        quotas = stores.quotas(60)
        assert await granted(quotas, tenant(1, "ward"))
        assert await granted(quotas, tenant(1, "clinic"))
        assert not await granted(quotas, tenant(1, "ward"))

    async def test_a_tenant_without_a_quota_is_never_refused(self, stores: Stores) -> None:
        quotas = stores.quotas(60)
        assert all([await granted(quotas, tenant(None)) for _ in range(50)])

    async def test_a_new_window_brings_a_new_quota(self, stores: Stores) -> None:
        quotas = stores.quotas(0.6)
        assert await granted(quotas, tenant(1))
        assert not await granted(quotas, tenant(1))
        await asyncio.sleep(0.7)
        assert await granted(quotas, tenant(1))

    async def test_a_refused_request_does_not_lengthen_the_wait(self, stores: Stores) -> None:
        quotas = stores.quotas(0.4)
        await quotas.take(tenant(1))
        for _ in range(5):
            await asyncio.sleep(0.1)
            if await granted(quotas, tenant(1)):
                return
        pytest.fail("the window never ended")

    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(limit=st.integers(1, 20), takers=st.integers(1, 60))
    async def test_concurrent_takers_get_the_quota_and_never_more(
        self, stores: Stores, limit: int, takers: int
    ) -> None:
        quotas, who = stores.quotas(60), tenant(limit, uuid.uuid4().hex)
        results = await asyncio.gather(*(granted(quotas, who) for _ in range(takers)))
        assert sum(results) == min(limit, takers)


class TestCache:
    async def test_what_was_put_is_what_is_got(self, stores: Stores) -> None:
        cache = stores.cache(60)
        await cache.put("a" * 64, b'{"answer":"\xc3\xa9"}\n\x00')
        assert await cache.get("a" * 64) == b'{"answer":"\xc3\xa9"}\n\x00'

    async def test_a_key_that_was_never_put_is_a_miss(self, stores: Stores) -> None:
        assert await stores.cache(60).get("b" * 64) is None

    async def test_a_later_answer_takes_the_place_of_the_earlier(self, stores: Stores) -> None:
        cache = stores.cache(60)
        await cache.put("k", b"first")
        await cache.put("k", b"second")
        assert await cache.get("k") == b"second"

    async def test_an_answer_is_gone_when_its_time_is_over(self, stores: Stores) -> None:
        cache = stores.cache(0.6)
        await cache.put("k", b"answer")
        assert await cache.get("k") == b"answer"
        await asyncio.sleep(0.7)
        assert await cache.get("k") is None

    async def test_a_time_of_nothing_keeps_nothing(self, stores: Stores) -> None:
        cache = stores.cache(0)
        await cache.put("k", b"answer")
        assert await cache.get("k") is None

    async def test_an_answer_of_32_mib_and_a_byte_is_not_kept(self, stores: Stores) -> None:
        cache = stores.cache(60)
        await cache.put("k", b"x" * (32 * 1024 * 1024 + 1))
        assert await cache.get("k") is None

    async def test_many_at_once_each_get_their_own_answer(self, stores: Stores) -> None:
        cache = stores.cache(60)
        await asyncio.gather(*(cache.put(f"k{n}", f"answer {n}".encode()) for n in range(100)))
        got = await asyncio.gather(*(cache.get(f"k{n}") for n in range(100)))
        assert got == [f"answer {n}".encode() for n in range(100)]

    async def test_a_cancelled_look_up_never_hands_its_answer_to_another(self, stores: Stores) -> None:
        cache = stores.cache(60)
        for n in range(40):
            await cache.put(f"k{n}", f"answer {n}".encode() * 100)
        for turn in range(10):
            tasks = [asyncio.create_task(cache.get(f"k{n}")) for n in range(40)]
            await asyncio.sleep(turn * 0.0005)
            for task in tasks[::2]:
                task.cancel()
            for n, got in enumerate(await asyncio.gather(*tasks, return_exceptions=True)):
                assert isinstance(got, asyncio.CancelledError) or got == f"answer {n}".encode() * 100
