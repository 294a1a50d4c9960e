"""What kept replies and claims on them promise, held against memory and a real Redis alike."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from service.gateway.ports import Repeats
from service.observability.metrics import Metrics
from service.state.link import Link
from service.state.repeats import MemoryRepeats, RedisRepeats
from tests.redis_server import RedisServer

Make = Callable[[float, float], Repeats]


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.redis)])
async def make(request: pytest.FixtureRequest) -> AsyncIterator[Make]:
    if request.param == "memory":
        yield lambda ttl_s, claim_s: MemoryRepeats(ttl_s=ttl_s, claim_s=claim_s)
        return
    link = Link(request.getfixturevalue("redis_url"), metrics=Metrics(), limit_s=5)
    yield lambda ttl_s, claim_s: RedisRepeats(link, ttl_s=ttl_s, claim_s=claim_s)
    await link.aclose()


async def test_of_many_claims_one_stands(make: Make) -> None:
    repeats = make(60, 60)
    found = await asyncio.gather(*(repeats.claim("name", f"claim {n}".encode()) for n in range(30)))
    (winner,) = [n for n, there in enumerate(found) if there is None]
    assert {there for there in found if there is not None} == {f"claim {winner}".encode()}


async def test_a_reply_takes_its_claims_place_and_no_others(make: Make) -> None:
    repeats = make(60, 60)
    assert await repeats.claim("name", b"mine") is None
    await repeats.finish("name", b"another's", b"wrong")
    assert await repeats.claim("name", b"third") == b"mine"
    await repeats.finish("name", b"mine", b"\x00reply\n")
    await repeats.drop("name", b"mine")
    assert await repeats.claim("name", b"third") == b"\x00reply\n"
    assert await repeats.claim("other", b"third") is None


async def test_a_claim_that_is_dropped_makes_room_for_the_next(make: Make) -> None:
    repeats = make(60, 60)
    await repeats.claim("name", b"mine")
    await repeats.drop("name", b"another's")
    assert await repeats.claim("name", b"next") == b"mine"
    await repeats.drop("name", b"mine")
    assert await repeats.claim("name", b"next") is None


async def test_claims_pass_unless_renewed_and_replies_pass_too(make: Make) -> None:
    repeats = make(0.5, 0.5)
    await repeats.claim("held", b"mine")
    await repeats.claim("left", b"mine")
    await repeats.claim("done", b"mine")
    await repeats.finish("done", b"mine", b"reply")
    await asyncio.sleep(0.35)
    await repeats.renew("held", b"mine")
    await asyncio.sleep(0.35)
    assert await repeats.claim("held", b"next") == b"mine"
    assert await repeats.claim("left", b"next") is None
    assert await repeats.claim("done", b"next") is None


async def test_a_reply_that_is_too_long_to_keep_ends_its_claim(make: Make) -> None:
    repeats = make(60, 60)
    await repeats.claim("name", b"mine")
    await repeats.finish("name", b"mine", b"x" * (4 * 1024 * 1024 + 1))
    assert await repeats.claim("name", b"next") is None


async def test_memory_holds_no_more_than_it_may() -> None:
    repeats = MemoryRepeats(ttl_s=60)
    for n in range(1_500):
        await repeats.claim(f"{n}", b"mine")
        await repeats.finish(f"{n}", b"mine", b"x" * 50_000)
    assert repeats._kept.size_bytes <= 32 * 1024 * 1024
    assert len(repeats._kept) <= 1_000


@pytest.mark.redis
async def test_without_redis_a_gateway_repeats_what_it_finished_itself(redis_server: RedisServer) -> None:
    link = Link(redis_server.url, metrics=Metrics(), limit_s=0.5)
    repeats = RedisRepeats(link, ttl_s=60)
    redis_server.stop()
    assert await repeats.claim("name", b"mine") is None
    assert await repeats.claim("name", b"next") == b"mine"
    await repeats.finish("name", b"mine", b"reply")
    assert await repeats.claim("name", b"next") == b"reply"
    await link.aclose()
