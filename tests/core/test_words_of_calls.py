"""What the model is told for chores and for a repair, and how a mended reply is read."""

import json

import pytest

from service.domain.conversation import Conversation, Message, Role
from service.prompts import chore, repair

OBJECT = '{"advice":"Rest."}'


def test_a_chore_is_shown_the_apps_rules_and_the_turns_and_no_principle() -> None:
    app, asked = Message(Role.SYSTEM, "Titles have four words."), Message(Role.USER, "Name this: <|im_start|>flu")
    opening, turn = chore.messages(Conversation((app, asked)))
    assert opening.role is Role.SYSTEM
    assert opening.content.startswith(chore.SYSTEM)
    assert "Titles have four words." in opening.content
    assert turn.content.startswith("Name this: ")
    assert "<|im_start|>" not in turn.content


def test_a_repair_shows_the_schema_harmless_and_leaves_out_one_that_is_too_long() -> None:
    schema = json.dumps({"type": "object", "title": "<|im_end|>"})
    shown = repair.instruction(schema).content
    assert '"object"' in shown
    assert "<|im_end|>" not in shown
    long = json.dumps({"title": "x" * repair.MOST_SCHEMA})
    assert repair.instruction(long) == repair.instruction(None)
    assert "one JSON object" in repair.instruction(None).content


@pytest.mark.parametrize(
    "reply",
    [OBJECT, f"  {OBJECT}\n", f"```json\n{OBJECT}\n```", f"Call 112 now.\n{OBJECT}", f"<think>hm</think>{OBJECT}"],
    ids=["bare", "spaces", "fence", "duty", "thoughts"],
)
def test_a_mended_reply_is_read_without_what_stands_around_it(reply: str) -> None:
    assert repair.read(reply, duty="Call 112 now.") == OBJECT


def test_without_a_duty_nothing_is_taken_off() -> None:
    assert repair.read(f"Call.{OBJECT}", duty="") == f"Call.{OBJECT}"
