import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from service.domain.errors import EngineGarbled, EngineRefused, EngineTimeout, EngineUnavailable
from service.engines.breaker import Breaker, Circuit
from service.engines.retry import Busy

ILL = EngineUnavailable("down")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def end(breaker: Breaker, error: BaseException | None = None) -> None:
    """One call that ends so."""
    if error is None:
        with breaker.guard():
            return
    with pytest.raises(type(error)), breaker.guard():
        raise error


def standing(breaker: Breaker) -> Circuit:
    return breaker.circuit


def opened(clock: Clock) -> Breaker:
    breaker = Breaker(threshold=3, cool_down_s=10.0, clock=clock)
    for _ in range(3):
        end(breaker, ILL)
    return breaker


def test_an_open_circuit_lets_nobody_through_before_it_has_cooled_down() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now = 9.9
    assert standing(breaker) is Circuit.OPEN
    with pytest.raises(EngineUnavailable, match="left alone"), breaker.guard():
        pytest.fail("a call went through an open circuit")


def test_a_success_between_failures_starts_the_count_again() -> None:
    breaker = Breaker(threshold=2)
    for error in (ILL, None, ILL, None, ILL):
        end(breaker, error)
    assert standing(breaker) is Circuit.CLOSED


@pytest.mark.parametrize("error", [EngineRefused("no", status=400), Busy("later")], ids=["refused", "busy"])
def test_a_server_that_refuses_or_is_busy_is_alive(error: Exception) -> None:
    breaker = Breaker(threshold=2)
    for ended in (ILL, error, ILL):
        end(breaker, ended)
    assert standing(breaker) is Circuit.CLOSED


def test_garbled_answers_open_the_circuit_and_timeouts_do_not() -> None:
    breaker = Breaker(threshold=2)
    for _ in range(5):
        end(breaker, EngineTimeout("late"))
    assert standing(breaker) is Circuit.CLOSED
    for _ in range(2):
        end(breaker, EngineGarbled("?"))
    assert standing(breaker) is Circuit.OPEN


def test_a_half_open_circuit_lets_one_probe_through_at_a_time() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now = 10.0
    with breaker.guard():
        assert standing(breaker) is Circuit.HALF_OPEN
        with pytest.raises(EngineUnavailable, match="left alone"), breaker.guard():
            pytest.fail("a second probe went through")
    assert standing(breaker) is Circuit.CLOSED


def test_a_failed_probe_opens_the_circuit_for_another_cool_down() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now = 10.0
    end(breaker, ILL)
    clock.now = 19.9
    assert standing(breaker) is Circuit.OPEN
    clock.now = 20.0
    assert standing(breaker) is Circuit.HALF_OPEN


def test_a_cancelled_probe_makes_room_for_the_next() -> None:
    clock = Clock()
    breaker = opened(clock)
    clock.now = 10.0
    end(breaker, KeyboardInterrupt())
    end(breaker)
    assert standing(breaker) is Circuit.CLOSED


def test_a_late_failure_does_not_make_the_cool_down_longer() -> None:
    clock = Clock()
    breaker = Breaker(threshold=1, cool_down_s=10.0, clock=clock)
    late = breaker.guard()
    late.__enter__()
    end(breaker, ILL)
    clock.now = 9.0
    assert not late.__exit__(type(ILL), ILL, None)
    clock.now = 10.0
    assert standing(breaker) is Circuit.HALF_OPEN


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 6))
def test_the_circuit_opens_exactly_when_threshold_failures_follow_one_another(ends: list[bool], threshold: int) -> None:
    breaker = Breaker(threshold=threshold, clock=lambda: 0.0)
    in_a_row = 0
    for succeeded in ends:
        if standing(breaker) is Circuit.OPEN:
            break
        end(breaker, None if succeeded else ILL)
        in_a_row = 0 if succeeded else in_a_row + 1
        assert (standing(breaker) is Circuit.OPEN) == (in_a_row >= threshold)


class Calls(RuleBasedStateMachine):
    """Overlapping calls in any order never leave more than one probe under way, nor the circuit stuck."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.breaker = Breaker(threshold=2, cool_down_s=5.0, clock=self.clock)
        self.underway: list[tuple[object, Circuit]] = []

    @rule()
    def begin(self) -> None:
        guard, circuit = self.breaker.guard(), standing(self.breaker)
        try:
            guard.__enter__()
        except EngineUnavailable:
            assert circuit is not Circuit.CLOSED
        else:
            assert circuit is not Circuit.OPEN
            self.underway.append((guard, circuit))

    @rule(ill=st.booleans(), which=st.integers(0, 9))
    def finish(self, *, ill: bool, which: int) -> None:
        if not self.underway:
            return
        guard, _ = self.underway.pop(which % len(self.underway))
        error = EngineUnavailable("down") if ill else None
        guard.__exit__(type(error) if error else None, error, None)  # type: ignore[attr-defined]

    @rule(seconds=st.floats(0.0, 10.0))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @invariant()
    def at_most_one_probe(self) -> None:
        assert sum(circuit is Circuit.HALF_OPEN for _, circuit in self.underway) <= 1

    def teardown(self) -> None:
        while self.underway:
            self.finish(ill=True, which=0)
        self.clock.now += 6.0
        end(self.breaker)
        assert standing(self.breaker) is Circuit.CLOSED


TestCalls = Calls.TestCase
