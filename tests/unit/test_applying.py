"""Which principles are taken for graded questions: counted by half, those that always apply left aside."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from principles_store.graded import Half, Judged
from service.cli.applying import measure
from service.cli.commands import commands
from service.pipeline.retrieve import Nearness
from tests.principles_fakes import small_store

EVERYTHING = Nearness(principle=0.0, relevance=-1.0, most=9, emergent=0.0, health=-1.0)
NOTHING = Nearness(principle=0.0, relevance=9.0, most=9, emergent=0.0, health=-1.0)
HEART, DOSE = "urgency.emergent.heart", "task_type.treatment.dose"
QUESTIONS = (
    Judged("kqa", "which dose of the tablet", "10", {DOSE: 3, "uncertainty.none.always": 2}),
    Judged("kqa", "how many milligrams of the medicine", "11", {DOSE: 2, HEART: 1}),
)


async def test_what_applies_and_is_taken_counts_and_what_always_applies_does_not(tmp_path: Path) -> None:
    tuning, reporting = await measure(small_store(tmp_path), QUESTIONS, nearness=EVERYTHING)
    assert (tuning.half, reporting.half) == (Half.TUNING, Half.REPORTING)
    assert (tuning.recall.hits, tuning.recall.total) == (1, 1)
    assert tuning.precision.hits == 1
    assert tuning.precision.total > 1


async def test_nothing_taken_is_no_hit_and_no_alarm(tmp_path: Path) -> None:
    for half in await measure(small_store(tmp_path), QUESTIONS, nearness=NOTHING):
        assert (half.precision.total, half.recall.hits, half.alarms) == (0, 0, 0)


@pytest.mark.parametrize("flags", [["--json"], []], ids=["json", "table"])
def test_a_folder_without_the_questions_is_refused(tmp_path: Path, flags: list[str]) -> None:
    result = CliRunner().invoke(commands, ["evaluate", "applies", "--data", str(tmp_path), *flags])
    assert (result.exit_code, result.stdout) == (1, "")
