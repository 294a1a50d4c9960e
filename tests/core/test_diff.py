"""What changed between two texts is told word by word, and loses no character of either."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.diff import Op, Piece, diff

WORDS = st.lists(st.sampled_from(["take", "400 mg", "of", "ibuprofen", ".", "\n\n", " ", "不要", "¿", "it's", "2.5"]))
TEXT = WORDS.map(" ".join) | st.text(max_size=60)


def joined(pieces: tuple[Piece, ...], *ops: Op) -> str:
    return "".join(piece.text for piece in pieces if piece.op in ops)


@given(TEXT, TEXT)
def test_no_character_of_either_text_is_lost(before: str, after: str) -> None:
    pieces = diff(before, after)
    assert joined(pieces, Op.KEEP, Op.DELETE) == before
    assert joined(pieces, Op.KEEP, Op.INSERT) == after


@given(TEXT, TEXT)
def test_neighbours_differ_and_what_was_deleted_comes_first(before: str, after: str) -> None:
    ops = [piece.op for piece in diff(before, after)]
    assert all(one != other for one, other in pairwise(ops))
    assert (Op.INSERT, Op.DELETE) not in pairwise(ops)


@given(TEXT)
def test_a_text_is_wholly_kept_against_itself(text: str) -> None:
    assert diff(text, text) == ((Piece(Op.KEEP, text),) if text else ())


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("Take 400 mg.", "Take 200 mg.", "Take [-400][+200] mg."),
        ("Rest at home.", "Rest. Call a doctor.", "Rest[- at home][+. Call a doctor]."),
        ("Take 2.5 mg.", "Take 25 mg.", "Take [-2.5][+25] mg."),
        ("One.\n\nTwo.", "One.\n\nThen two.", "One.\n\n[-Two][+Then two]."),
        ("不要服药", "请服药", "[-不要][+请]服药"),
        ("", "New.", "[+New.]"),
        ("Old.", "", "[-Old.]"),
    ],
    ids=["a number", "a phrase", "a decimal", "a paragraph", "a script without spaces", "all new", "all gone"],
)
def test_a_change_reads_as_a_person_would_mark_it(before: str, after: str, expected: str) -> None:
    marks = {Op.KEEP: "{}", Op.DELETE: "[-{}]", Op.INSERT: "[+{}]"}
    assert "".join(marks[piece.op].format(piece.text) for piece in diff(before, after)) == expected


def test_texts_too_long_to_compare_are_one_change_between_what_they_share() -> None:
    before = "Same start. " + "old words " * 2000 + "Same end."
    after = "Same start. " + "new terms " * 2000 + "Same end."
    began = time.monotonic()
    pieces = diff(before, after)
    assert [piece.op for piece in pieces] == [Op.KEEP, Op.DELETE, Op.INSERT, Op.KEEP]
    assert time.monotonic() - began < 1
