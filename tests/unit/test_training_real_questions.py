import pytest

from training.real_questions import said


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ('You wrote: "Am I contagious?"\nAsk a pharmacist.', "Am I contagious?"),
        ('You wrote: "is "cold" bad"\nNo.', 'is "cold" bad'),
        ('Ask a pharmacist.\nYou wrote: "later"', ""),
        ('You wrote: "cut off', ""),
        ("", ""),
    ],
    ids=["a line", "quotation marks inside", "not the first line", "no end", "nothing"],
)
def test_what_a_draft_claims_to_repeat_stands_between_the_marks_of_its_first_line(written: str, expected: str) -> None:
    assert said(written) == expected
