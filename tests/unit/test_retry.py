import math
import time
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.deadline import Deadline
from service.domain.errors import EngineGarbled, EngineUnavailable
from service.engines.retry import Backoff, TryAgain, retry_after

AT_ONCE = Backoff(retries=2, base_s=0.0)


def failing(*errors: Exception) -> tuple[Callable[[], Awaitable[str]], list[int]]:
    """An attempt that raises these one after another, then succeeds; and the count of calls so far."""
    left, calls = list(errors), [0]

    async def attempt() -> str:
        calls[0] += 1
        if left:
            raise left.pop(0)
        return "done"

    return attempt, calls


async def test_two_failures_before_the_first_byte_are_tried_again() -> None:
    attempt, calls = failing(TryAgain("down"), TryAgain("down"))
    assert await AT_ONCE.run(attempt, deadline=Deadline.after(1)) == "done"
    assert calls == [3]


async def test_the_last_failure_is_raised_when_the_retries_are_spent() -> None:
    attempt, calls = failing(*[TryAgain(str(number)) for number in range(9)])
    with pytest.raises(TryAgain, match="2"):
        await AT_ONCE.run(attempt, deadline=Deadline.after(1))
    assert calls == [3]


@pytest.mark.parametrize("error", [EngineUnavailable("open"), EngineGarbled("?")], ids=["unavailable", "garbled"])
async def test_what_cannot_be_tried_again_is_raised_at_once(error: Exception) -> None:
    attempt, calls = failing(error)
    with pytest.raises(type(error)):
        await AT_ONCE.run(attempt, deadline=Deadline.after(1))
    assert calls == [1]


async def test_a_wait_that_outlasts_the_deadline_is_not_begun() -> None:
    attempt, calls = failing(TryAgain("busy", after_s=30.0))
    began = time.monotonic()
    with pytest.raises(TryAgain):
        await AT_ONCE.run(attempt, deadline=Deadline.after(5))
    assert calls == [1]
    assert time.monotonic() - began < 1.0


@given(st.integers(0, 60), st.floats(0.0, 1.0), st.none() | st.floats(0.0, 100.0))
def test_a_delay_is_never_less_than_asked_for_nor_more_than_the_cap_on_top(
    attempt: int, luck: float, after_s: float | None
) -> None:
    backoff = Backoff(uniform=lambda low, high: low + luck * (high - low))
    delay = backoff.delay(attempt, after_s=after_s)
    assert (after_s or 0.0) <= delay <= (after_s or 0.0) + min(backoff.cap_s, backoff.base_s * 2**attempt) + 1e-9


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("1.5", 1.5),
        ("-3", 0.0),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
    ],
)
def test_retry_after_is_a_number_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after(header) == seconds


@given(st.text())
def test_any_retry_after_header_reads_as_seconds_or_as_nothing(header: str) -> None:
    seconds = retry_after(header)
    assert seconds is None or (seconds >= 0.0 and math.isfinite(seconds))
