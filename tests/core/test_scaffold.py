"""What of our own forms is seen in an answer, and what an answer may hold without being taken for one of them."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.assessment import Criterion, Polarity
from service.prompts import edits, wishes
from service.prompts.edits import Edit, Op
from service.prompts.scaffold import shows_scaffold

EDIT = edits.write([Edit(Op.INSERT, 12, "See a clinician today.")])
TARGETS = [
    Criterion("c#m", "c", "Says to rest.", 4, Polarity.MUST),
    Criterion("c#n", "c", "Does harm.", 9, Polarity.MUST_NOT),
]
SHOWN = {
    "what-was-released": 'Vous parlez de unproven the":[{"op":"insert","sentence":12,"text":"See a clinician."}]}',
    "whole": EDIT,
    "cut-off": 'Rest.{"edits":[{"op":"ins',
    "cut-off-early": 'Rest.{"edits":[',
    "spaced": json.dumps(json.loads(EDIT), indent=2),
    "in-a-string": json.dumps({"answer": EDIT}),
    "typeset": "{\u201cop\u201d: \u201cdelete\u201d, \u201csentence\u201d: 2}",
    "python": "[{'op': 'replace', 'sentence': 1, 'text': 'Rest.'}]",
    "its-end": '12,"sentence":3,"text":"Rest."}]}',
    "the-wishes": wishes.wishes(TARGETS),
    "a-wish": "Rest.\nTake out what is forbidden: Does harm.",
    "the-edits-instruction": edits.instruction("Rest.", TARGETS[:1]).content,
    "its-heading": "Its sentences start:\n1. Rest",
}
SAID = {
    "an-answer": "Rest, drink enough, and replace the dressing after the op: insert no swab, delete no note.",
    "a-patch-of-json": '[{"op": "replace", "path": "/dose", "value": 5}, {"op": "add", "path": "/unit"}]',
    "a-list": '{"edits": [], "texts": ["edits"]}',
    "a-finding": '{"symptom": "fever", "present": true}',
    "a-wish-in-a-sentence": "Keep a diary and add what is missing: times and doses.",
    "empty": "",
}


@pytest.mark.parametrize("text", SHOWN.values(), ids=SHOWN.keys())
def test_a_form_of_ours_is_seen_in_prose(text: str) -> None:
    assert shows_scaffold(text, structured=False)


@pytest.mark.parametrize("text", SAID.values(), ids=SAID.keys())
def test_an_ordinary_answer_holds_none(text: str) -> None:
    assert not shows_scaffold(text, structured=False)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (EDIT, True),
        (json.dumps({"answer": EDIT}), True),
        (json.dumps({"op": "insert", "row": 3}), False),
        (json.dumps({"edits": ["a word"]}), False),
    ],
    ids=["our-edits", "our-edits-in-a-field", "another-grammar", "a-list-of-edits"],
)
def test_json_that_was_asked_for_may_say_what_ours_does_not(text: str, shown: bool) -> None:
    assert shows_scaffold(text, structured=True) == shown


EDITS = st.builds(Edit, st.sampled_from(Op), st.integers(0, 999), st.text(max_size=30))


@given(st.text(max_size=80), st.lists(EDITS, min_size=1, max_size=8), st.text(max_size=80), st.booleans())
def test_edits_are_seen_whatever_stands_around_them(
    before: str, written: list[Edit], after: str, structured: bool
) -> None:
    assert shows_scaffold(f"{before}{edits.write(written)}{after}", structured=structured)


@pytest.mark.parametrize("part", ["\\", "\n", " ", '"op":', '"op":"replace","path":', '"edits":', "- ", '"sentence":1'])
def test_a_long_text_is_read_in_one_pass(part: str) -> None:
    began = time.process_time()
    assert not shows_scaffold(part * 100_000, structured=False)
    assert time.process_time() - began < 1


@given(st.text())
def test_any_text_can_be_looked_at(text: str) -> None:
    assert not shows_scaffold(text.replace(":", ""), structured=False)
