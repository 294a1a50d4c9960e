"""Packing, windows and words of the small judge: the arithmetic around its network."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.entailment.calibration import ASKED, NEARNESS, Evidence, Head
from service.entailment.form import is_act
from service.entailment.lexical import AnswerWords, Words, overlap, stem
from service.entailment.packing import ANSWER, PADDING, QUESTION, pack, stack
from service.entailment.windows import windows

ids = st.lists(st.integers(1, 30_000), min_size=1, max_size=12)
words = st.lists(st.sampled_from(["rest", "water.", "pain!", "fever", "doctor.\n", "x" * 9]), min_size=1, max_size=80)


@given(ids, st.lists(ids, max_size=5))
def test_every_segment_starts_at_position_0_and_keeps_its_ids(answer: list[int], claims: list[list[int]]) -> None:
    row = pack(answer, claims)
    for number, part in enumerate([answer, *claims]):
        mine = row.segments == number
        assert row.ids[mine].tolist() == part
        assert row.positions[mine].tolist() == list(range(len(part)))
    assert row.wanted.tolist() == list(range(1, len(claims) + 1))


@given(ids, st.lists(ids, max_size=5), ids)
def test_a_question_lies_beside_them_and_is_not_judged(
    answer: list[int], claims: list[list[int]], question: list[int]
) -> None:
    row, plain = pack(answer, claims, question), pack(answer, claims)
    mine = row.segments == QUESTION
    assert row.ids[mine].tolist() == question
    assert row.ids[~mine].tolist() == plain.ids.tolist()
    assert row.wanted.tolist() == plain.wanted.tolist()


def test_what_is_padded_belongs_to_no_segment() -> None:
    _, _, segments = stack([pack([1, 2], [[3]]), pack([1], [])])
    assert segments.tolist() == [[ANSWER, ANSWER, 1], [ANSWER, PADDING, PADDING]]


@given(words, st.integers(3, 20))
def test_every_word_is_in_a_window_and_no_window_is_too_long(text: list[str], most: int) -> None:
    found = windows(" ".join(text), most=most, count=lambda part: len(part.split()))
    assert all(0 < len(window.split()) <= most for window in found)
    assert set(" ".join(found).split()) == {word.strip() for word in text}


def test_windows_overlap_by_whole_sentences() -> None:
    text = " ".join(f"One two three line{number}." for number in range(6))
    found = windows(text, most=16, count=lambda part: len(part.split()))
    assert len(found) > 1
    assert all(later.split(".")[0] in earlier for earlier, later in pairwise(found))


def test_a_word_without_spaces_is_cut_and_ends() -> None:
    found = windows("x" * 1000, most=10, count=len)
    assert "".join(dict.fromkeys(found)) != ""
    assert all(len(window) <= 10 for window in found)


def test_nothing_has_no_window() -> None:
    assert windows("  ", most=10, count=len) == ()


@pytest.mark.parametrize(
    "group",
    [("treats", "treated", "treating"), ("infection", "infections"), ("mild", "mildly"), ("500",)],
    ids=lambda group: group[0],
)
def test_forms_of_a_word_share_their_stem(group: tuple[str, ...]) -> None:
    assert len({stem(word) for word in group}) == 1


def test_overlap_is_the_share_of_the_claims_words() -> None:
    assert overlap("Fever needs a doctor", "A doctor treats fevers.") == pytest.approx(2 / 3)
    assert overlap("the of", "anything") == 0.0


@pytest.mark.parametrize(
    ("claim", "answer", "numbers", "opposed"),
    [
        ("Take 500 mg", "Take 500 mg of it.", 0.0, 0.0),
        ("Take 500 mg", "Take 50 mg of it.", 1.0, 0.0),
        ("It is safe", "Rest. It is not safe.", 0.0, 1.0),
        ("It isn't safe", "It is not safe.", 0.0, 0.0),
    ],
    ids=["same", "another number", "denied", "both deny"],
)
def test_numbers_and_negations_are_compared(claim: str, answer: str, numbers: float, opposed: float) -> None:
    found = AnswerWords(answer).compare(claim)
    assert (found.numbers, found.opposed) == (numbers, opposed)


NOWHERE = (0.0,) * len(NEARNESS)
PLAIN = Words(whole=0.5, nearest=0.5, numbers=0.0, opposed=0.0)
HEAD = Head(weights={"logit": 1.5, "whole": 1.0}, bias=-0.5, threshold=0.4)


@given(st.floats(-800, 800), st.floats(-800, 800))
def test_more_of_the_network_never_means_less_probability(one: float, other: float) -> None:
    low, high = (HEAD.probability(Evidence(logit, NOWHERE, PLAIN)) for logit in sorted([one, other]))
    assert low is not None
    assert high is not None
    assert 0.0 <= low <= high <= 1.0


@pytest.mark.parametrize("logit", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_has_no_probability(logit: float) -> None:
    assert HEAD.probability(Evidence(logit, NOWHERE, PLAIN)) is None


cosines = st.floats(-1, 1)


@given(
    st.lists(cosines, min_size=20, max_size=20),
    st.lists(cosines, min_size=9, max_size=9),
    st.lists(st.floats(-9, 9), min_size=len(ASKED), max_size=len(ASKED)),
    st.floats(0, 3),
    st.floats(-3, 3),
)
def test_a_question_can_only_lower_the_odds_and_by_no_more_than_the_doubt(
    near: list[float], moved: list[float], weights: list[float], doubt: float, slack: float
) -> None:
    head = Head(
        weights={"mean_6": 2.0},
        asked=dict(zip(ASKED, weights, strict=True)),
        slack=slack,
        doubt=doubt,
        bias=0.1,
        threshold=0.5,
    )
    unasked = Evidence(0.0, (*near, *near[:8], 0.0), PLAIN)
    asked = Evidence(0.0, (*near, *moved), PLAIN)
    assert not any(unasked.asked)
    chance, plain = head.probability(asked), head.probability(unasked)
    assert chance is not None
    assert plain is not None
    assert chance <= plain + 1e-12
    assert chance >= 1 / (1 + (1 - plain) / plain * math.exp(doubt)) - 1e-9


@pytest.mark.parametrize(
    "criterion",
    [
        "Advises calling the emergency services",
        "asks how long it has lasted",
        "Clearly states the dose",
        "The response should name the dose.",
        "Response includes a warning",
        "It mentions the risk of bleeding.",
        "Should not name a dose",
        "Names the dose if the user has given a weight.",
        "If a dose is given, the answer names its unit.",
    ],
)
def test_what_an_answer_does_is_an_act(criterion: str) -> None:
    assert is_act(criterion)


@pytest.mark.parametrize(
    "claim",
    [
        "Ibuprofen causes bleeding.",
        "It is important to drink enough.",
        "It causes drowsiness.",
        "Antibiotics do not help against viruses.",
        "Symptoms include fever and chills.",
        "You should see a doctor.",
        "Response rates are higher with two drugs.",
        "",
    ],
)
def test_what_is_so_is_no_act(claim: str) -> None:
    assert not is_act(claim)


def test_a_row_of_nothing_asks_nothing() -> None:
    assert pack([5], []).wanted.tolist() == []
    assert pack([5], []).ids.dtype == np.int64
