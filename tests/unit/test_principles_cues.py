"""Hints in a question's words: found whole, by their stems, at most twice, and quickly."""

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from principles_store.cues import CUE_WEIGHT, CUE_WIDTH, cues
from principles_store.paths import PACKAGE

NAMES = list(yaml.safe_load((PACKAGE / "cues.yaml").read_text(encoding="utf-8")))


def met(text: str) -> set[str]:
    return {name for name, value in zip(NAMES, cues(text), strict=False) if value > 0}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("is there any evidence for this", "asks_for_evidence"),
        ("Does ANYONE know why", "nobody_knows"),
        ("he collapsed", "sudden"),
        ("can\u2019t breathe", "sudden"),
        ("58m, BP 104/60", "shorthand"),
        ("please translate the label", "between_languages"),
        ("my mum", "someone_close"),
    ],
)
def test_a_cue_is_found_by_its_words(text: str, name: str) -> None:
    assert name in met(text)


@pytest.mark.parametrize(
    "text", ["", "evidently", "the drone flew"], ids=["nothing", "another ending", "inside a word"]
)
def test_a_phrase_that_is_part_of_another_word_is_no_cue(text: str) -> None:
    assert not met(text) & {"asks_for_evidence", "feelings", "danger"}


def test_the_third_time_adds_nothing() -> None:
    once, twice, often = (cues("evidence " * times)[NAMES.index("asks_for_evidence")] for times in (1, 2, 9))
    assert once < twice == often


@given(st.text(max_size=300))
def test_hints_are_finite_and_bounded_whatever_the_text(text: str) -> None:
    hints = cues(text)
    assert hints.shape == (CUE_WIDTH,)
    assert np.isfinite(hints).all()
    assert (hints >= 0).all()
    assert (hints <= 2 * CUE_WEIGHT).all()


def test_what_stands_far_behind_is_not_read() -> None:
    assert (cues("x" * 2000 + " evidence") == cues("x" * 2000)).all()
