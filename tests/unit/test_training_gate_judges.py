from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from service.domain.assessment import Criterion
from service.domain.completion import TokenProbability
from service.domain.conversation import Message, Role
from service.domain.verdict import Presence
from service.entailment.reader import AnswerReader
from service.prompts import verdict
from training.cli import commands
from training.dialogues import library
from training.dialogues.dialogue import Dialogue, Source
from training.dialogues.words import Split
from training.gate.judges import ByStatements, ByVerdicts, check, opened
from training.gate.rows import Rows, rubric_of
from training.gate.sight import seen

ROWS = Rows(library=library.load(), queries=library.queries(), count=9, seed=1)
DUTY = next(dialogue for _, dialogue in ROWS.dialogues("trained") if dialogue.setting.duty)


@dataclass
class Says:
    """Yes to every other question."""

    asked: list[Sequence[Message]] = field(default_factory=list)

    def first_token(self, messages: Sequence[Message]) -> list[TokenProbability]:
        self.asked.append(messages)
        yes = 0.9 if len(self.asked) % 2 else 0.2
        return [TokenProbability("Yes", yes), TokenProbability("No", 1 - yes)]


def test_a_checkpoint_judges_as_the_gateway_asks_the_duty_before_the_answer() -> None:
    model, criteria = Says(), rubric_of(DUTY)[:2]
    found = ByVerdicts("sha256-1", model).read(DUTY, "Rest.", criteria)
    assert [presence.present for presence in found] == [True, False]
    for messages, criterion in zip(model.asked, criteria, strict=True):
        *prompt, said, asked = messages
        assert tuple(prompt) == DUTY.setting.prompt
        assert said == Message(Role.ASSISTANT, f"{DUTY.setting.duty}\n\nRest.")
        assert asked == verdict.instruction(criterion.text)


@dataclass
class Reader:
    """Stands for the small judge."""

    manifest: Any
    digest: str = "0123456789abcdef"

    def read(self, answer: str, claims: Sequence[str]) -> tuple[Presence, ...]:
        return tuple(Presence(answer in claim, 0.5) for claim in claims)


@dataclass(frozen=True)
class Named:
    name: str = "small"
    version: str = "2"


def test_the_small_judge_reads_each_criterion_as_a_statement(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(AnswerReader, "load", lambda _: Reader(Named()))
    criteria = rubric_of(DUTY)[:2]
    with opened(tmp_path) as judge:
        assert isinstance(judge, ByStatements)
        assert judge.name == "small@2 (0123456789ab)"
        assert [p.present for p in judge.read(DUTY, criteria[1].text, criteria)] == [False, True]


@dataclass(frozen=True)
class Sees:
    """Finds what the generator knows, or the opposite of it."""

    right: bool
    name: str = "sees"

    def read(self, dialogue: Dialogue, answer: str, criteria: Sequence[Criterion]) -> tuple[Presence, ...]:
        known = {e.criterion.id: e.does for p in dialogue.setting.guide for e in p.exemplars}
        return tuple(Presence(any(said in answer for said in known[c.id]) is self.right) for c in criteria)


@pytest.mark.parametrize(("right", "found"), [(True, 1.0), (False, 0.0)])
def test_a_judges_sight_is_counted_apart_on_what_is_done_and_what_is_not(*, right: bool, found: float) -> None:
    everything = library.load()
    source = Source(everything, library.queries(), 3, Split.TRAIN, everything.trained)
    told = seen(Sees(right), source, dialogues=4)
    assert told["done_and_found"]["share"] == found
    assert told["not_done_but_found"]["share"] == 1 - found
    assert told["done_and_found"]["count"] > 0


def test_a_candidate_is_not_its_own_judge_under_any_name(tmp_path: Path) -> None:
    for name, weights in (("new", "w1"), ("copy", "w1"), ("old", "w2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_text(weights)
    words = ["gate", "--candidate", str(tmp_path / "new"), "--incumbent", str(tmp_path / "old")]
    for judge in ("new", "copy"):
        done = CliRunner().invoke(commands, [*words, "--judge", str(tmp_path / judge)])
        assert done.exit_code == 1
        assert "the candidate's own weights" in done.output
    check(tmp_path / "old", tmp_path / "new")
