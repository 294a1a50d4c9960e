"""What the evaluation of a checkpoint counts: what the gateway could not read or use is counted, and never passes."""

from collections.abc import Sequence
from typing import Any

import pytest

from service.domain.completion import TokenProbability
from service.domain.conversation import Message
from training import evaluate_checkpoint
from training.dialogues import library
from training.dialogues.dialogue import Source
from training.dialogues.words import Split
from training.export import model_card

YES = [TokenProbability("Yes", 1.0)]
MUMBLES = [TokenProbability("Perhaps", 1.0)]
LABELS = "Verdicts that could not be read", "A rewrite can be used: whole, and not empty"


class Scripted:
    """A model that says the same each time; `rewrites` is None where it never comes to an end."""

    def __init__(self, *, rewrites: str | None, first: list[TokenProbability]) -> None:
        self._rewrites, self._first = rewrites, first

    def reply(self, messages: Sequence[Message], *, most: int, schema: str | None = None) -> str:
        return "Something else."

    def whole(self, messages: Sequence[Message], *, most: int) -> str | None:
        return self._rewrites

    def first_token(self, messages: Sequence[Message]) -> list[TokenProbability]:
        return self._first


def figures(*, rewrites: str | None, first: list[TokenProbability]) -> dict[str, Any]:
    everything = library.load()
    source = Source(everything, library.queries(), 7, Split.HELD_OUT, tuple(everything.trained))
    model: Any = Scripted(rewrites=rewrites, first=first)
    return evaluate_checkpoint._figures(model, source, 12)


@pytest.mark.parametrize("reply", [None, "", "  \n"], ids=["cut short", "empty", "white space"])
def test_a_rewrite_that_the_gateway_would_not_take_is_counted_and_meets_no_target(reply: str | None) -> None:
    found = figures(rewrites=reply, first=YES)
    assert found["rewrites_can_be_used"]["count"] > 0
    assert found["rewrites_can_be_used"]["hits"] == 0
    assert found["rewrites_meet_the_target"]["hits"] == 0


def test_a_whole_rewrite_can_be_used_whatever_it_says() -> None:
    found = figures(rewrites="Something else.", first=YES)["rewrites_can_be_used"]
    assert found["hits"] == found["count"] > 0


@pytest.mark.parametrize(("first", "unread"), [(YES, False), (MUMBLES, True)], ids=["read", "not read"])
def test_a_verdict_that_cannot_be_read_is_counted_as_unknown_and_is_wrong(
    first: list[TokenProbability], *, unread: bool
) -> None:
    found = figures(rewrites="x", first=first)["verdicts"]
    assert (found["unknown"]["hits"] == found["unknown"]["count"]) is unread
    assert (found["accuracy"]["hits"] == 0) is unread


def test_the_card_has_a_row_for_each() -> None:
    found = figures(rewrites=None, first=MUMBLES)
    text = model_card._measured(
        {
            "engine": "scripted",
            "seed": 7,
            "held_out": [],
            "trained_principles": found,
            "held_out_principles": {name: value for name, value in found.items() if name != "rewrites_can_be_used"},
        }
    )
    unread, usable = (next(line for line in text.splitlines() if label in line) for label in LABELS)
    cases = found["verdicts"]["unknown"]["count"]
    assert unread.count(f"1.000 ({cases} of {cases}; ") == 2
    assert f"| 0.000 (0 of {found['rewrites_can_be_used']['count']}; " in usable
    assert usable.endswith("| none counted |"), "figures of an older edition lack it"
