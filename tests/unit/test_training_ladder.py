"""The ladder: each round of guided revision keeps what it finds better, and the table tells what each step gains."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from service.domain.assessment import Criterion
from service.domain.completion import TokenProbability
from service.domain.conversation import Message, Role
from service.domain.verdict import Presence
from training.dialogues import library
from training.dialogues.dialogue import Dialogue
from training.gate.rows import Rows, rubric_of
from training.ladder import aim
from training.ladder.climb import Answered, climbs_of, page, table
from training.ladder.climb import rows as rows_of
from training.ladder.guided import rounds
from training.ladder.plot import drawn

ROWS = Rows(library=library.load(), queries=library.queries(), count=3, seed=1)
DRAFT, ADDED = "Rest.", "Call now."


@dataclass
class Reviser:
    """Drafts one sentence and adds another by edits; finds all that is wanted in an answer which has both."""

    wants: dict[str, bool]
    edit: str = ADDED
    asked: list[str] = field(default_factory=list)

    def reply(self, messages: Sequence[Message], *, most: int, schema: str | None = None) -> str:
        self.asked.append("edits" if schema else "draft")
        whole = {"edits": [{"op": "insert", "sentence": 1, "text": self.edit}]}
        return json.dumps(whole) if schema else DRAFT

    def first_token(self, messages: Sequence[Message]) -> list[TokenProbability]:
        written = next(m.content for m in reversed(messages) if m.role is Role.ASSISTANT)
        criterion = next(text for text in self.wants if text in messages[-1].content)
        yes = 0.9 if ADDED in written and self.wants[criterion] else 0.1
        return [TokenProbability("Yes", yes), TokenProbability("No", 1 - yes)]


@pytest.fixture
def reviser() -> Reviser:
    _, dialogue = next(ROWS.dialogues("trained"))
    return Reviser({c.text: c.polarity == "must" for c in rubric_of(dialogue)})


def test_a_round_that_gains_is_kept_and_a_whole_answer_is_left_alone(reviser: Reviser) -> None:
    _, dialogue = next(ROWS.dialogues("trained"))
    draft, once, twice = rounds(reviser, dialogue, most=2)
    assert draft == DRAFT
    assert ADDED in once
    assert twice == once
    assert reviser.asked == ["draft", "edits"]


def test_a_round_that_gains_nothing_leaves_the_draft(reviser: Reviser) -> None:
    _, dialogue = next(ROWS.dialogues("trained"))
    reviser.edit = "Something else."
    assert list(rounds(reviser, dialogue, most=2)) == [DRAFT] * 3
    assert reviser.asked == ["draft", "edits", "edits"]


def _answers(judged: float, words: int, text: str) -> list[Answered]:
    return [Answered(judged + at / 100, judged, words, f"{text}{at}") for at in range(20)]


def test_the_table_tells_gains_over_the_step_before_and_the_length_beside_them() -> None:
    sft = [_answers(0.2, 50, "a"), _answers(0.3, 60, "b"), _answers(0.3, 60, "b")]
    grpo = [_answers(0.4, 55, "c"), _answers(0.4, 55, "c"), _answers(0.5, 70, "d")]
    told = table(
        {"SFT": dict.fromkeys(("trained", "held_out"), sft), "GRPO": dict.fromkeys(("trained", "held_out"), grpo)}
    )
    rows = {row["step"]: row for row in told["held_out"]}
    assert list(rows) == ["SFT", "SFT +1", "SFT +2", "GRPO", "GRPO +1", "GRPO +2"]
    assert [row["changed"] for row in rows.values()] == [0, 20, 0, 20, 0, 20]
    assert rows["GRPO"]["gain"] == pytest.approx([0.2, 0.2, 0.2])
    assert rows["GRPO +2"]["gain"] == pytest.approx([0.1, 0.1, 0.1])
    assert rows["GRPO +2"]["words"][0] == 70
    low, high = rows["SFT"]["judged"][1:]
    assert low < rows["SFT"]["judged"][0] < high
    assert climbs_of(rows_of({"SFT": {"held_out": sft}}))["SFT"]["held_out"][1][0].words == 60
    assert "| GRPO +2 | 0.595 (" in page(told)
    assert page(told).count("70 (70 to 70) | 20 |") == 2


class Sees:
    """A judge to whom everything is done."""

    name = "sees"

    def read(self, dialogue: Dialogue, answer: str, criteria: Sequence[Criterion]) -> tuple[Presence, ...]:
        return tuple(Presence(present=True, probability=1.0) for _ in criteria)


def test_the_aim_counts_what_is_wanted_in_drafts_and_in_what_they_learn_from(reviser: Reviser) -> None:
    dialogues = aim.training_half(3, seed=1)
    found = aim.compared({"silent": reviser}, dialogues, Sees())
    taught, drafted = found[aim.TEACHER], found["silent"]
    assert [one.wanted for one in taught] == [one.wanted for one in drafted]
    assert sum(one.done for one in taught) > sum(one.done for one in drafted) == 0
    assert aim.page(found).splitlines()[-1].startswith(f"| silent | 0 of {sum(one.wanted for one in drafted)} | ")


def test_the_pages_picture_is_drawn_from_the_rows_that_are_kept(tmp_path: Path) -> None:
    kept = json.loads(Path("docs/alignment/ladder.json").read_text())
    drawn(table(climbs_of(kept)), tmp_path / "ladder.svg")
    said, known = (
        re.findall(r">([^<]+)</text>", path.read_text())
        for path in (tmp_path / "ladder.svg", Path("docs/alignment/ladder.svg"))
    )
    assert said == known
    assert {"topic that training never drew", "GRPO +2", "78 words"} <= {one.strip() for one in said}
