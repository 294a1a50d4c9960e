"""Tasks of the dialogue generator as rows: what was right scores the most, and what does not apply changes nothing."""

import asyncio
import json

import pytest

from service.domain.assessment import Expertise, Scenario, TaskType, Uncertainty, Urgency
from service.domain.conversation import Message, Role
from service.prompts import edits
from training.align import tasks
from training.align.row import APPLIES, QUOTES, RIGHT, Kind, Row
from training.align.rows import FirstOf, WordingsJudge, woven
from training.dialogues import drafts, library
from training.dialogues.dialogue import Source
from training.dialogues.words import Split
from training.reward.rubric import Item, Rubric
from training.synthesis import rehearsal
from training.synthesis.prompt import Guide, read, request

EVERYTHING = library.load()
SOURCE = Source(EVERYTHING, library.queries(), 5, Split.TRAIN, EVERYTHING.trained)
DIALOGUES = [SOURCE.dialogue(number) for number in range(40)]
ROWS = [row for number, dialogue in enumerate(DIALOGUES) for row in tasks.of(dialogue, f"5/{number}")]


def _score(row: Row, reply: str) -> float:
    done = [row.does(reply, item.criterion) for item in row.rubric.items]
    assert None not in done
    return row.rubric.score([bool(verdict) for verdict in done])


def _replies() -> dict[str, str]:
    """The generator's own reply to each row."""
    found = {}
    for number, dialogue in enumerate(DIALOGUES):
        found[f"5/{number}"] = dialogue.answers[0].body
        for place, answer in enumerate(dialogue.answers):
            for at, branch in enumerate(answer.branches):
                found[f"5/{number}#{place}.{at}"] = branch.reply
    return found


@pytest.mark.parametrize("kind", [Kind.EDITS, Kind.VERDICT])
def test_the_generators_own_reply_earns_all_that_can_be_earned(kind: Kind) -> None:
    replies = _replies()
    rows = [row for row in ROWS if row.kind is kind]
    assert len(rows) > 10
    full = [_score(row, replies[row.id]) == pytest.approx(1.0) for row in rows]
    # An insertion may stand between sentences of a thing that the draft already did.
    assert sum(full) >= 0.9 * len(full)


def test_a_draft_earns_by_what_it_is_judged_by_and_what_always_applies() -> None:
    guides = {f"5/{number}": dialogue.setting.guide for number, dialogue in enumerate(DIALOGUES)}
    rows = [row for row in ROWS if row.kind is Kind.DRAFT]
    assert len(rows) > 30
    for row in rows:
        always = {e.criterion.text for p in guides[row.id] if p.always_on for e in p.exemplars}
        judged = {c.text for c in drafts.rubric(guides[row.id])}
        assert {item.criterion for item in row.rubric.items} - {QUOTES} == always | judged


def test_a_draft_that_says_the_question_back_does_so_to_the_letter() -> None:
    replies = _replies()
    row = next(r for r in ROWS if r.kind is Kind.DRAFT and QUOTES in r.wordings)
    assert row.does(replies[row.id], QUOTES) is True
    assert row.does(replies[row.id].replace('"', "'"), QUOTES) is False


def test_edits_that_do_not_apply_leave_the_draft_as_it_was() -> None:
    row = next(r for r in ROWS if r.kind is Kind.EDITS)
    far = edits.write([edits.Edit(edits.Op.DELETE, 900)])
    assert row.does("not JSON", APPLIES) is row.does(far, APPLIES) is False
    harmless = edits.write([edits.Edit(edits.Op.INSERT, 0, "Hello.")])
    assert row.does(harmless, APPLIES) is True
    others = [item.criterion for item in row.rubric.items if item.criterion != APPLIES]
    assert [row.does("not JSON", c) for c in others] == [row.does(harmless, c) for c in others]


def test_a_verdict_is_right_by_its_one_word() -> None:
    row = next(r for r in ROWS if r.kind is Kind.VERDICT)
    right = row.wordings[RIGHT][0]
    assert row.does(f" {right}\n", RIGHT) is True
    assert row.does("No" if right == "Yes" else "Yes", RIGHT) is False


def test_all_tasks_of_a_dialogue_are_held_out_together() -> None:
    sides: dict[str, set[bool]] = {}
    for row in ROWS:
        sides.setdefault(row.id.partition("#")[0], set()).add(row.is_held_out(3))
    assert all(len(side) == 1 for side in sides.values())
    assert len({next(iter(side)) for side in sides.values()}) == 2


def test_blocks_of_one_kind_follow_the_pattern() -> None:
    pattern = ("draft", "edits", "draft", "verdict")
    found = woven(ROWS, block=3, pattern=pattern)
    kinds = [row.kind.value for row in found]
    assert kinds[:12] == [kind for kind in pattern for _ in range(3)]
    assert len({row.id for row in found}) == len(found)


def test_a_second_judge_is_asked_only_where_no_wording_is_known() -> None:
    class Yes:
        name = "yes"
        asked = 0

        async def does(self, prompt: object, answer: str, criterion: str) -> bool:
            self.asked += 1
            return True

    row = Row("a", (Message(Role.USER, "Q"),), Rubric((Item("good", 1),)), {"good": ("Good.",)})
    second = Yes()
    judge = FirstOf(WordingsJudge([row]), second)
    assert asyncio.run(judge.does(row.prompt, "Bad.", "good")) is False
    assert second.asked == 0
    assert asyncio.run(judge.does((Message(Role.USER, "other"),), "Bad.", "good")) is True


def test_a_rehearsals_rubric_is_one_that_synthesis_reads() -> None:
    guides = [
        Guide("a.b", "1", "Say so.", ("[must, weight 7] Says so.", "[must_not, weight 9] Says not.")),
        Guide("a.c", "1", "Ask.", ("[must, weight 3] Asks.",)),
    ]
    scenario = Scenario(next(iter(Urgency)), next(iter(Uncertainty)), next(iter(Expertise)), next(iter(TaskType)))
    body = {"messages": [{"content": message.content} for message in request("Why?", scenario, guides)]}
    asked = [{"custom_id": "q/rubric/0", "body": body}, {"custom_id": "q/sample/0", "body": body}]
    (line,) = rehearsal.replies(json.loads(json.dumps(asked)))
    text = line["response"]["body"]["choices"][0]["message"]["content"]
    assert [(d.principle, d.criterion, d.must, d.weight) for d in read(text, guides)] == [
        ("a.b", "Says so.", True, 7),
        ("a.b", "Says not.", False, 9),
        ("a.c", "Asks.", True, 3),
    ]
