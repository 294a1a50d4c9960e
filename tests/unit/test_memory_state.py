"""The bounds of what is held in memory, by a clock that the test moves."""

from hypothesis import given
from hypothesis import strategies as st

from service.domain.enquiry import Tenant
from service.state.memory import MemoryCache, MemoryQuotas


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_quotas_remember_no_more_tenants_than_their_bound() -> None:
    quotas = MemoryQuotas(max_tenants=3)
    for number in range(10):
        await quotas.take(Tenant(name=f"t{number}", requests_per_minute=1))
    assert len(quotas) == 3


async def test_the_least_recently_read_answer_goes_first() -> None:
    cache = MemoryCache(ttl_s=60, max_entries=2)
    await cache.put("old", b"1")
    await cache.put("kept", b"2")
    await cache.get("old")
    await cache.put("new", b"3")
    assert (await cache.get("old"), await cache.get("kept"), await cache.get("new")) == (b"1", None, b"3")


async def test_an_answer_whose_time_is_over_gives_its_bytes_back() -> None:
    clock = Clock()
    cache = MemoryCache(ttl_s=10, clock=clock)
    await cache.put("k", b"answer")
    clock.now = 10.0
    assert await cache.get("k") is None
    assert (len(cache), cache.size_bytes) == (0, 0)


@given(
    puts=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 40)), max_size=60),
    max_entries=st.integers(1, 5),
    max_bytes=st.integers(1, 60),
)
async def test_the_cache_never_outgrows_its_bounds(
    puts: list[tuple[int, int]], max_entries: int, max_bytes: int
) -> None:
    cache = MemoryCache(ttl_s=60, max_entries=max_entries, max_bytes=max_bytes)
    for key, size in puts:
        await cache.put(f"k{key}", b"x" * size)
        kept = [await cache.get(f"k{n}") for n in range(10)]
        assert len(cache) <= max_entries
        assert cache.size_bytes == sum(len(answer) for answer in kept if answer is not None) <= max_bytes
