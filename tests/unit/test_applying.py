"""Which principles are taken for graded questions: counted by half, those that always apply left aside."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from principles_store.graded import Half, Judged
from principles_store.measures import Proportion
from service.cli.applying import Applying, applying_page, measure
from service.cli.commands import commands
from service.pipeline.retrieve import Nearness
from service.pipeline.screen import Screen
from tests.principles_fakes import PRINCIPLES, principle, small_store
from tests.screen_fakes import head_of

EVERYTHING = Nearness(principle=0.0, relevance=-1.0, most=9, emergent=0.0, health=-1.0)
NOTHING = Nearness(principle=0.0, relevance=9.0, most=9, emergent=0.0, health=-1.0)
HEART, DOSE = "urgency.emergent.heart", "task_type.treatment.dose"
QUESTIONS = (
    Judged("kqa", "which dose of the tablet", "10", {DOSE: 3, "uncertainty.none.always": 2}),
    Judged("kqa", "how many milligrams of the medicine", "11", {DOSE: 2, HEART: 1}),
)


async def test_what_applies_and_is_taken_counts_and_what_always_applies_does_not(tmp_path: Path) -> None:
    tuning, reporting = await measure(small_store(tmp_path), QUESTIONS, nearness=EVERYTHING, screen=Screen())
    assert (tuning.half, reporting.half) == (Half.TUNING, Half.REPORTING)
    assert (tuning.recall.hits, tuning.recall.total) == (1, 1)
    assert tuning.precision.hits == 1
    assert tuning.precision.total > 1


async def test_nothing_taken_is_no_hit_and_no_alarm(tmp_path: Path) -> None:
    for half in await measure(small_store(tmp_path), QUESTIONS, nearness=NOTHING, screen=Screen()):
        assert (half.precision.total, half.recall.hits, half.alarms) == (0, 0, 0)


async def test_what_the_screens_head_brings_in_is_taken_too(tmp_path: Path) -> None:
    flagged = principle("urgency.emergent.torsion", applies_when="somewhere else", red_flag_families=["torsion"])
    store = small_store(tmp_path, [*PRINCIPLES, flagged])
    asked = [Judged("kqa", "my lantern glows strangely", "10", {flagged.id: 3})]
    halves = [await measure(store, asked, nearness=NOTHING, screen=Screen(head=head)) for head in (head_of(), None)]
    assert [tuning.recall.hits for tuning, _ in halves] == [1, 0]


def test_the_page_says_how_much_is_taken_wrongly_and_left_out() -> None:
    found = [Applying(half, Proportion(2, 8), Proportion(2, 5), 1, 4) for half in Half]
    text = applying_page(found, Nearness(), command="clinalign evaluate applies --data FOLDER")
    assert "`clinalign evaluate applies --data FOLDER`" in text
    assert "| reporting | 4 | 0.250 (0.071 to 0.591), 2/8 | 0.400 (0.118 to 0.769), 2/5 | 2.0 | 1 |" in text
    assert "On the reporting half 75% of what is taken is not what the reader would have chosen, and\n60% of" in text
    assert "not clinicians" in text


@pytest.mark.parametrize("flags", [["--json"], []], ids=["json", "table"])
def test_a_folder_without_the_questions_is_refused(tmp_path: Path, flags: list[str]) -> None:
    result = CliRunner().invoke(commands, ["evaluate", "applies", "--data", str(tmp_path), *flags])
    assert (result.exit_code, result.stdout) == (1, "")
