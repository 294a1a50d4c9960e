"""What an evaluation of a judge counts."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.judge_evaluation.measures import Tally, expected_error, physicians, reliability

rows = st.lists(
    st.tuples(st.booleans(), st.lists(st.booleans(), min_size=1, max_size=3), st.sampled_from("abcd")),
    min_size=1,
    max_size=30,
)


def tally(said: list[bool], labels: list[list[bool]], clusters: str = "") -> Tally:
    return Tally(said, labels, list(clusters) or [str(at) for at in range(len(said))])


def test_each_prediction_is_paired_with_every_physician() -> None:
    found = tally([True, False], [[True, False, True], [False, False, True]])
    met, unmet = 2 * 2 / (2 * 2 + 1 + 1), 2 * 2 / (2 * 2 + 1 + 1)
    assert found.macro_f1 == pytest.approx((met + unmet) / 2)
    assert found.accuracy == pytest.approx(4 / 6)


def test_a_judge_that_says_one_thing_only_gets_half_of_the_other_class() -> None:
    assert tally([False] * 4, [[False], [False], [False], [True]]).macro_f1 == pytest.approx(0.5 * 6 / 7)


@pytest.mark.parametrize(
    ("said", "labels", "kappa"),
    [
        ([True, False], [[True], [False]], 1.0),
        ([True, False], [[False], [True]], -1.0),
        ([True, True], [[True], [True]], 0.0),
    ],
    ids=["agree", "opposite", "one class"],
)
def test_kappa_is_what_chance_leaves(said: list[bool], labels: list[list[bool]], kappa: float) -> None:
    assert tally(said, labels).kappa == pytest.approx(kappa)


@given(rows)
def test_the_interval_holds_the_value_or_its_cluster_alone(found: list[tuple[bool, list[bool], str]]) -> None:
    said, labels, clusters = zip(*found, strict=True)
    interval = Tally(said, labels, clusters).interval()
    assert 0.0 <= interval.low <= interval.high <= 1.0
    if len(set(clusters)) == 1:
        assert interval.low == pytest.approx(interval.value) == pytest.approx(interval.high)


@given(rows)
def test_a_judge_is_not_above_itself(found: list[tuple[bool, list[bool], str]]) -> None:
    said, labels, clusters = zip(*found, strict=True)
    mine = Tally(said, labels, clusters)
    difference = mine.above(Tally(said, labels, clusters))
    assert (difference.value, difference.low, difference.high) == (0.0, 0.0, 0.0)


def test_perfect_probabilities_have_no_calibration_error() -> None:
    bins = reliability([0.0, 1.0, 1.0], [[False], [True], [True, True]])
    assert expected_error(bins) == 0.0
    assert [each.count for each in bins] == [1, 2]


def test_certainty_that_is_half_wrong_is_an_error_of_half() -> None:
    assert expected_error(reliability([1.0, 1.0], [[True], [False]])) == pytest.approx(0.5)
    assert expected_error(()) == 0.0


def test_physicians_are_compared_with_one_another() -> None:
    agreed = physicians([[True, True], [False, False]], ["a", "b"])
    assert agreed is not None
    assert agreed.macro_f1 == 1.0
    assert physicians([[True]], ["a"]) is None


def test_a_class_that_nobody_knows_is_no_division_by_zero() -> None:
    assert math.isfinite(tally([True], [[True]]).interval().low)
