"""Order and diversity of what is brought in, shared words, and when an emergency's principle stays away."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from principles_store.encoder import normalise
from principles_store.retrieval import Ranking, diversify, is_out_of_place, relevance
from principles_store.scenario import Scenario
from principles_store.schema import LEVELS, Dimension
from principles_store.words import WordIndex, words
from tests.principles_fakes import principle

SCORES = arrays.arrays(np.float32, st.integers(1, 12), elements=st.floats(-1, 1, width=32))


def scenario(*, routine: float = 0.0) -> Scenario:
    even = {d: dict.fromkeys(levels, 1 / len(levels)) for d, levels in LEVELS.items()}
    return Scenario({**even, Dimension.URGENCY: {"emergent": 1 - routine, "urgent": 0.0, "routine": routine}})


@given(SCORES, st.integers(1, 12))
def test_without_diversity_the_order_is_that_of_the_scores(scores: np.ndarray, limit: int) -> None:
    order = diversify(scores, np.eye(len(scores), dtype=np.float32), limit=limit, diversity=0.0)
    assert order == np.argsort(-scores, kind="stable").tolist()[:limit]


@given(SCORES, st.integers(0, 15), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_each_candidate_comes_at_most_once_and_never_more_than_asked(
    scores: np.ndarray, limit: int, diversity: float, seed: int
) -> None:
    vectors = normalise(np.random.default_rng(seed).normal(size=(len(scores), 4)).astype(np.float32))
    order = diversify(scores, vectors, limit=limit, diversity=diversity)
    assert len(order) == len(set(order)) == min(limit, len(scores))


def test_a_twin_of_what_is_taken_gives_way_to_something_else() -> None:
    vectors = np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32)
    scores = np.array([0.9, 0.89, 0.7], dtype=np.float32)
    assert diversify(scores, vectors, limit=2, diversity=0.0) == [0, 1]
    assert diversify(scores, vectors, limit=2, diversity=0.3) == [0, 2]


def test_no_candidates_give_no_order() -> None:
    assert diversify(np.empty(0, dtype=np.float32), np.empty((0, 4), dtype=np.float32), limit=5, diversity=0.1) == []


def test_a_principle_of_the_scenarios_own_level_is_raised() -> None:
    pair = [principle("urgency.emergent.a"), principle("urgency.routine.a")]
    raised = relevance(np.zeros(2, dtype=np.float32), pair, scenario(routine=0.25), Ranking(urgency=0.1))
    assert raised == pytest.approx([0.075, 0.025])


EMERGENT, ROUTINE = principle("urgency.emergent.a"), principle("urgency.routine.a")


@pytest.mark.parametrize(
    ("routine", "flagged", "out"),
    [(0.99, False, True), (0.99, True, False), (0.5, False, False), (0.0, False, False)],
    ids=["confidently routine", "routine with a red flag", "unsure", "emergent"],
)
def test_an_emergencys_principle_stays_away_only_from_confidently_routine_questions(
    routine: float, flagged: bool, out: bool
) -> None:
    told = scenario(routine=routine)
    assert is_out_of_place(EMERGENT, told, flagged=flagged, ranking=Ranking()) is out
    assert not is_out_of_place(ROUTINE, told, flagged=flagged, ranking=Ranking())


def test_a_rare_word_counts_more_than_a_common_one() -> None:
    index = WordIndex.build(["metformin dose", "dose of a tablet", "dose of a syrup"])
    rare, common = index.scores("metformin"), index.scores("dose")
    assert rare[0] > common[0] > 0
    assert rare[1] == 0


def test_the_commonest_endings_do_not_make_another_word() -> None:
    assert words("tablets tablet, worries worry; bleeding bleed") == [
        "tablet",
        "tablet",
        "worry",
        "worry",
        "bleed",
        "bleed",
    ]
    assert words("stress less") == ["stress", "less"]


def test_a_word_counts_once_however_often_the_query_repeats_it() -> None:
    index = WordIndex.build(["metformin dose", "something else"])
    assert index.scores("dose dose DOSE").tolist() == index.scores("dose").tolist()


@given(st.lists(st.text(max_size=30), max_size=5), st.text(max_size=60))
def test_scores_of_shared_words_are_finite_and_not_negative(texts: list[str], asked: str) -> None:
    scores = WordIndex.build(texts).scores(asked)
    assert scores.shape == (len(texts),)
    assert np.isfinite(scores).all()
    assert (scores >= 0).all()
