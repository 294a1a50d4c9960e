"""The page of examples shows what the guard did with questions that may not be copied, and copies none of them."""

import pytest

from loadtests.examples import hidden

QUESTION = "May I take the blue tablets twice on a Sunday evening?"


def test_a_quotation_of_a_hidden_question_is_left_out() -> None:
    shown = hidden(f'You wrote: "{QUESTION}" Ask a pharmacist.', QUESTION)
    assert shown == 'You wrote: "[the question]" Ask a pharmacist.'


def test_a_copy_outside_quotation_marks_stops_the_page() -> None:
    with pytest.raises(ValueError, match="copies words of a hidden question") as caught:
        hidden("You ask: may I take  the blue\ntablets twice. Ask a pharmacist.", QUESTION)
    assert "tablets" not in str(caught.value)
