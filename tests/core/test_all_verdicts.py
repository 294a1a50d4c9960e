"""All verdicts in one reply: what is asked, and that only an exact reply says anything."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.conversation import Role
from service.prompts import verdicts

CRITERIA = ("Names a danger sign.", "Says when to call.")


def test_each_criterion_has_its_number_and_the_schema_its_place() -> None:
    asked = verdicts.instruction(CRITERIA)
    assert asked.role is Role.USER
    assert "1. Names a danger sign.\n2. Says when to call." in asked.content
    present = json.loads(verdicts.schema(2))["properties"]["present"]
    assert (present["minItems"], present["maxItems"]) == (2, 2)


@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_a_reply_by_the_schema_is_read_in_its_order(said: list[bool]) -> None:
    found = verdicts.read(json.dumps({"present": said}), len(said))
    assert [each.present for each in found] == said


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "All criteria are met.",
        "[" * 100_000,
        "[true, true]",
        '{"present": [true]}',
        '{"present": [true, true, true]}',
        '{"present": [true, 1]}',
        '{"present": [true, "true"]}',
        '{"present": "true"}',
        '{"present": [true, true], "why": "they are"}',
    ],
    ids=["empty", "prose", "deep", "list", "short", "long", "number", "word", "no list", "more"],
)
def test_any_other_reply_leaves_all_unknown(reply: str) -> None:
    assert [each.present for each in verdicts.read(reply, 2)] == [None, None]
