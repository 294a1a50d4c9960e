"""What is left of quotas and cache while Redis is down, and that they come back with it."""

import asyncio
import json
import logging
import socket
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from service.domain.enquiry import Tenant
from service.domain.errors import QuotaExceeded, SettingsError
from service.observability.metrics import Metrics
from service.state.link import Link
from service.state.redis import RedisCache, RedisQuotas
from tests.redis_server import RedisServer

pytestmark = pytest.mark.redis
WARD = Tenant(name="ward", requests_per_minute=2)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
async def link(redis_server: RedisServer, metrics: Metrics) -> AsyncIterator[Link]:
    link = Link(redis_server.url, metrics=metrics, limit_s=5, cool_down_s=0.05)
    yield link
    await link.aclose()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


async def test_every_name_in_redis_begins_with_the_prefix_and_ends_by_itself(
    link: Link, redis_server: RedisServer
) -> None:
    await RedisCache(link, ttl_s=60).put("k", b"answer")
    await RedisQuotas(link).take(WARD)
    assert redis_server.names() == {"clinalign:answer:k", "clinalign:quota:ward"}
    assert all([await link.redis.pttl(key) > 0 for key in redis_server.names()])


async def test_two_gateways_share_one_quota(link: Link, redis_server: RedisServer) -> None:
    other = Link(redis_server.url, metrics=Metrics(), limit_s=5)
    await RedisQuotas(link).take(WARD)
    await RedisQuotas(other).take(WARD)
    with pytest.raises(QuotaExceeded):
        await RedisQuotas(link).take(WARD)
    await other.aclose()


async def test_a_restart_of_redis_costs_no_request(link: Link, redis_server: RedisServer) -> None:
    quotas, cache = RedisQuotas(link), RedisCache(link, ttl_s=60)
    await quotas.take(WARD)
    await cache.put("k", b"answer")
    redis_server.stop()
    redis_server.start()
    await quotas.take(WARD)
    assert await cache.get("k") is None
    await cache.put("k", b"answer")
    assert await cache.get("k") == b"answer"


async def test_while_redis_is_down_the_cache_misses_and_each_gateway_counts_on_its_own(
    link: Link, redis_server: RedisServer
) -> None:
    quotas, cache = RedisQuotas(link), RedisCache(link, ttl_s=60)
    await cache.put("k", b"answer")
    redis_server.stop()
    assert await cache.get("k") is None
    await cache.put("k", b"answer")
    await quotas.take(WARD)
    await quotas.take(WARD)
    with pytest.raises(QuotaExceeded):
        await quotas.take(WARD)


async def test_an_outage_is_seen_in_the_metrics_the_readiness_and_two_log_lines(
    link: Link, redis_server: RedisServer, metrics: Metrics, caplog: pytest.LogCaptureFixture
) -> None:
    cache = RedisCache(link, ttl_s=60)
    with caplog.at_level(logging.INFO, logger="clinalign"):
        redis_server.stop()
        for _ in range(3):
            await cache.get("k")
        assert (link.up, await link.ping()) == (False, False)
        assert b"clinalign_state_down 1.0" in metrics.exposition()
        assert b'clinalign_state_failures_total{store="cache"} 3.0' in metrics.exposition()
        redis_server.start()
        await asyncio.sleep(0.06)
        assert (await link.ping(), link.up) == (True, True)
    assert b"clinalign_state_down 0.0" in metrics.exposition()
    assert [record.getMessage() for record in caplog.records] == ["state.redis_down", "state.redis_up"]


async def test_a_failure_is_logged_without_address_password_or_answer(caplog: pytest.LogCaptureFixture) -> None:
    link = Link("redis://:pass-word@127.0.0.1:1/0", metrics=Metrics())
    with caplog.at_level(logging.INFO, logger="clinalign"):
        await RedisCache(link, ttl_s=60).put("some-key", b"chest pain")
    (record,) = caplog.records
    said = json.dumps([record.getMessage(), record.__dict__["fields"]])
    assert said == '["state.redis_down", {"store": "cache", "error": "ConnectionError"}]'
    await link.aclose()


async def test_a_redis_that_hangs_costs_one_short_wait_and_then_nothing(silent_port: int) -> None:
    link = Link(f"redis://127.0.0.1:{silent_port}/0", metrics=Metrics(), limit_s=0.2, cool_down_s=30)
    cache = RedisCache(link, ttl_s=60)
    began = time.monotonic()
    for _ in range(20):
        assert await cache.get("k") is None
    assert time.monotonic() - began < 1.0
    await link.aclose()


async def test_an_answer_that_stands_under_anothers_name_is_a_miss(link: Link) -> None:
    await link.redis.set("clinalign:answer:mine", b"theirs\nAn answer to someone else.", ex=60)
    assert await RedisCache(link, ttl_s=60).get("mine") is None


def test_an_address_that_cannot_be_read_stops_the_start_and_is_not_repeated() -> None:
    with pytest.raises(SettingsError, match="redis_url") as refused:
        Link("http://user:pass-word@cache", metrics=Metrics())
    assert "pass-word" not in str(refused.value)
