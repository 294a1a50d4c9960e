import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.errors import EngineGarbled, EngineRefused, EngineTimeout, EngineUnavailable
from service.engines.breaker import Breaker, Circuit, IsWell
from service.engines.retry import Busy

ILL = EngineUnavailable("down")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def well() -> bool:
    return True


async def ill() -> bool:
    return False


async def end(breaker: Breaker, error: BaseException | None = None, *, is_well: IsWell = ill) -> None:
    """One call that ends so, to a server that is so."""
    if error is None:
        async with breaker.guard(is_well):
            return
    with pytest.raises(type(error)):
        async with breaker.guard(is_well):
            raise error


def standing(breaker: Breaker) -> Circuit:
    return breaker.circuit


async def opened(clock: Clock) -> Breaker:
    breaker = Breaker(threshold=3, cool_down_s=10.0, clock=clock)
    for _ in range(3):
        await end(breaker, ILL)
    return breaker


async def test_an_open_circuit_lets_nobody_through_before_it_has_cooled_down() -> None:
    clock = Clock()
    breaker = await opened(clock)
    clock.now = 9.9
    assert standing(breaker) is Circuit.OPEN
    with pytest.raises(EngineUnavailable, match="left alone"):
        async with breaker.guard(well):
            pytest.fail("a call went through an open circuit")


async def test_a_success_between_failures_starts_the_count_again() -> None:
    breaker = Breaker(threshold=2)
    for error in (ILL, None, ILL, None, ILL):
        await end(breaker, error)
    assert standing(breaker) is Circuit.CLOSED


@pytest.mark.parametrize("error", [EngineRefused("no", status=400), Busy("later")], ids=["refused", "busy"])
async def test_a_server_that_refuses_or_is_busy_is_alive(error: Exception) -> None:
    breaker = Breaker(threshold=2)
    for ended in (ILL, error, ILL):
        await end(breaker, ended)
    assert standing(breaker) is Circuit.CLOSED


async def test_garbled_answers_open_the_circuit_and_timeouts_do_not() -> None:
    breaker = Breaker(threshold=2)
    for _ in range(5):
        await end(breaker, EngineTimeout("late"))
    assert standing(breaker) is Circuit.CLOSED
    for _ in range(2):
        await end(breaker, EngineGarbled("?"))
    assert standing(breaker) is Circuit.OPEN


async def test_requests_that_fail_on_a_well_server_open_nothing_however_many_they_are() -> None:
    breaker, asked = Breaker(threshold=3), 0

    async def is_well() -> bool:
        nonlocal asked
        asked += 1
        return True

    for _ in range(30):
        await end(breaker, ILL, is_well=is_well)
    assert (standing(breaker), asked) == (Circuit.CLOSED, 10)


async def test_the_server_is_asked_by_one_call_at_a_time_and_nobody_waits_for_it() -> None:
    breaker, held, asked = Breaker(threshold=1), asyncio.Event(), 0

    async def is_well() -> bool:
        nonlocal asked
        asked += 1
        await held.wait()
        return False

    first = asyncio.create_task(end(breaker, ILL, is_well=is_well))
    await asyncio.sleep(0)
    for _ in range(5):
        await end(breaker, ILL, is_well=is_well)
    held.set()
    await first
    assert (standing(breaker), asked) == (Circuit.OPEN, 1)


async def test_a_half_open_circuit_asks_the_server_before_it_lets_anybody_through() -> None:
    clock, held = Clock(), asyncio.Event()
    breaker = await opened(clock)
    clock.now = 10.0

    async def is_well() -> bool:
        await held.wait()
        return True

    first = asyncio.create_task(end(breaker, is_well=is_well))
    await asyncio.sleep(0)
    with pytest.raises(EngineUnavailable, match="left alone"):
        async with breaker.guard(is_well):
            pytest.fail("somebody went through before the server was seen to be well")
    held.set()
    await first
    assert standing(breaker) is Circuit.CLOSED


async def test_a_server_that_is_still_ill_is_left_alone_for_another_cool_down() -> None:
    clock = Clock()
    breaker = await opened(clock)
    clock.now = 10.0
    with pytest.raises(EngineUnavailable, match="left alone"):
        async with breaker.guard(ill):
            pytest.fail("a call went through to a server that is ill")
    clock.now = 19.9
    assert standing(breaker) is Circuit.OPEN
    clock.now = 20.0
    assert standing(breaker) is Circuit.HALF_OPEN


async def test_a_question_that_is_cancelled_makes_room_for_the_next() -> None:
    clock = Clock()
    breaker = await opened(clock)
    clock.now = 10.0

    async def never() -> bool:
        await asyncio.Event().wait()
        return False

    asking = asyncio.create_task(end(breaker, is_well=never))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.wait({asking})
    await end(breaker, is_well=well)
    assert standing(breaker) is Circuit.CLOSED


async def test_a_late_failure_does_not_make_the_cool_down_longer() -> None:
    clock = Clock()
    breaker = Breaker(threshold=1, cool_down_s=10.0, clock=clock)
    late = breaker.guard(ill)
    await late.__aenter__()
    await end(breaker, ILL)
    clock.now = 9.0
    assert not await late.__aexit__(type(ILL), ILL, None)
    clock.now = 10.0
    assert standing(breaker) is Circuit.HALF_OPEN


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 6))
async def test_for_an_ill_server_it_opens_exactly_when_threshold_failures_follow_one_another(
    ends: list[bool], threshold: int
) -> None:
    breaker = Breaker(threshold=threshold, clock=lambda: 0.0)
    in_a_row = 0
    for succeeded in ends:
        if standing(breaker) is Circuit.OPEN:
            break
        await end(breaker, None if succeeded else ILL)
        in_a_row = 0 if succeeded else in_a_row + 1
        assert (standing(breaker) is Circuit.OPEN) == (in_a_row >= threshold)


steps = st.lists(st.tuples(st.sampled_from(["begin", "finish", "fail", "wait"]), st.integers(0, 9)), max_size=40)


@given(steps, st.booleans())
async def test_overlapping_calls_in_any_order_never_leave_the_circuit_stuck(
    taken: list[tuple[str, int]], healthy: bool
) -> None:
    clock = Clock()
    breaker = Breaker(threshold=2, cool_down_s=5.0, clock=clock)
    is_well, underway = (well if healthy else ill), []
    for step, which in [*taken, *[("fail", 0)] * len(taken)]:
        if step == "wait":
            clock.now += which
        elif step == "begin":
            guard, before = breaker.guard(is_well), standing(breaker)
            try:
                await guard.__aenter__()
            except EngineUnavailable:
                assert before is not Circuit.CLOSED
            else:
                assert standing(breaker) is Circuit.CLOSED
                underway.append(guard)
        elif underway:
            error = EngineUnavailable("down") if step == "fail" else None
            await underway.pop(which % len(underway)).__aexit__(type(error) if error else None, error, None)
        assert not (healthy and standing(breaker) is Circuit.OPEN)
    clock.now += 6.0
    await end(breaker, is_well=well)
    assert standing(breaker) is Circuit.CLOSED
