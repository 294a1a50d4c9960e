"""Recall, nDCG, F1, agreement and their intervals, against values worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from principles_store.kinship import KIN, families, family, folds, is_for_tuning
from principles_store.loading import load_principles, load_queries
from principles_store.measures import Proportion, agreement, found, halves, latency, reading
from principles_store.paths import SHIPPED_PRINCIPLES, SHIPPED_QUERIES
from tests.principles_fakes import QUERIES


@given(st.integers(0, 500), st.integers(0, 500))
def test_an_interval_holds_its_value_and_stays_within_0_and_1(hits: int, misses: int) -> None:
    share = Proportion(hits, hits + misses)
    low, high = share.interval
    assert 0.0 <= low <= high <= 1.0
    if share.total:
        assert low - 1e-9 <= share.value <= high + 1e-9


def test_an_interval_agrees_with_wilsons_formula() -> None:
    assert Proportion(8, 10).interval == pytest.approx((0.4902, 0.9433), abs=1e-4)


def test_recall_and_gain_follow_from_the_ranks() -> None:
    measured = found([1, 3, None, 10])
    assert [measured.recall[k].hits for k in (1, 5, 10)] == [1, 2, 3]
    assert measured.ndcg == pytest.approx((1 + 1 / 2 + 1 / math.log2(11)) / 4)
    assert measured.reciprocal_rank == pytest.approx((1 + 1 / 3 + 1 / 10) / 4)


def test_nothing_asked_is_nothing_found() -> None:
    assert found([]).recall[10].value == 0.0


def test_macro_f1_is_the_plain_mean_over_levels() -> None:
    measured = reading(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]), ("a", "b"))
    assert measured.f1 == pytest.approx({"a": 0.8, "b": 2 / 3})
    assert measured.macro_f1 == pytest.approx((0.8 + 2 / 3) / 2)
    assert measured.accuracy.hits == 3


def test_a_level_that_never_occurs_scores_nothing() -> None:
    assert reading(np.array([0]), np.array([0]), ("a", "b")).macro_f1 == 0.5


def test_agreement_counts_shared_places_and_equal_sets() -> None:
    measured = agreement([["a", "b"], ["c", "d"]], [["b", "a"], ["c", "e"]])
    assert (measured.shared.hits, measured.shared.total) == (3, 4)
    assert (measured.same_set.hits, measured.same_set.total) == (1, 2)


def test_halves_share_nothing_and_lose_nothing() -> None:
    chosen, reported = halves(QUERIES)
    assert sorted(chosen + reported) == list(range(len(QUERIES)))


def test_the_queries_of_one_family_fall_in_one_fold_and_one_half() -> None:
    shipped = load_queries(SHIPPED_QUERIES)
    names, parts, halved = families(shipped), folds(shipped), is_for_tuning(shipped)
    for name in set(names.tolist()):
        assert len(set(parts[names == name])) == len(set(halved[names == name])) == 1


def test_kin_are_principles_of_the_store_and_belong_to_one_family_each() -> None:
    last_parts = {p.id.rsplit(".", 1)[-1] for p in load_principles(SHIPPED_PRINCIPLES)}
    members = [member for kin in KIN for member in kin]
    assert set(members) <= last_parts
    assert len(members) == len(set(members))
    assert family("urgency.emergent.suicide-danger-now") == family("task_type.boundary.no-lethal-methods")


def test_latency_counts_each_text_once() -> None:
    called: list[str] = []
    assert latency(called.append, ["a", "b"], warm_up=1).count == 2
    assert called == ["a", "a", "b"]
