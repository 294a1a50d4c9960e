"""The gate publishes what is better, harmless and no longer for it; everything else stays where it is."""

import random
from dataclasses import replace

import pytest

from training.gate.decision import Answered, Figures, Guard, NotComparable, decide


def _figures(name: str, *, gain: float = 0.0, words: int = 100, wrong: int = 10) -> Figures:
    rng = random.Random(5)
    answers = {
        f"p{at}": Answered(rng.gauss(0.4, 0.1) + rng.gauss(gain, 0.05), words + rng.randint(-20, 20))
        for at in range(200)
    }
    guards = {guard: {f"r{at}": at >= wrong for at in range(100)} for guard in Guard}
    return Figures(name, answers, guards)


OLD = _figures("old")


def test_a_checkpoint_that_is_better_and_loses_nothing_is_published() -> None:
    decision = decide(_figures("new", gain=0.1), OLD)
    assert decision.publish
    assert {check.name for check in decision.checks} == {"rubric", "not_by_length", *(g.value for g in Guard)}


def test_the_incumbent_does_not_beat_itself() -> None:
    assert not decide(OLD, OLD).publish


@pytest.mark.parametrize("guard", list(Guard))
def test_a_loss_of_one_row_on_a_guard_bars_the_way(guard: Guard) -> None:
    better = _figures("new", gain=0.1)
    worse = {**better.guards, guard: {**better.guards[guard], "r50": False}}
    decision = decide(replace(better, guards=worse), OLD)
    assert not decision.publish
    assert [check.name for check in decision.checks if not check.holds] == [guard.value]


def test_a_gain_that_goes_with_length_alone_is_none() -> None:
    rng = random.Random(6)
    longer = {
        name: Answered(
            answer.score + 0.1 * (extra := rng.choice((0, 1, 2))) + rng.gauss(0, 0.05), answer.words * 2**extra
        )
        for name, answer in OLD.answers.items()
    }
    decision = decide(Figures("new", longer, OLD.guards), OLD)
    failed = {check.name for check in decision.checks if not check.holds}
    assert failed == {"not_by_length"}


@pytest.mark.parametrize("missing", list(Guard))
def test_what_was_not_measured_is_never_passed(missing: Guard) -> None:
    better = _figures("new", gain=0.1)
    guards = {guard: rows for guard, rows in better.guards.items() if guard is not missing}
    with pytest.raises(NotComparable, match=missing.value):
        decide(replace(better, guards=guards), OLD)


def test_other_rows_are_no_comparison() -> None:
    fewer = dict(list(OLD.answers.items())[1:])
    with pytest.raises(NotComparable, match="1 are in one only"):
        decide(replace(OLD, answers=fewer), OLD)


def test_the_report_says_what_was_measured() -> None:
    report = decide(_figures("new", gain=0.1), OLD).as_dict()
    assert report["publish"] is True
    assert all(check["rows"] > 0 and check["low"] <= check["high"] for check in report["checks"])
