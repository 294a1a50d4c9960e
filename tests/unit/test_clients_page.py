"""The page of `make test-clients`, and what makes its run fail."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.clients.__main__ import told
from tests.clients.outcome import COLUMNS, Cell, ClientRun, Probe, SuiteRun
from tests.clients.page import page
from tests.clients.processes import Ended, ended
from tests.clients.scripted_model import UNSAFE, Presence, missing_thing

WHOLE = ClientRun("app", "1.2", "by hand", tuple(Cell(name, passed=True) for name in COLUMNS))
IMAGE = Probe("image", passed=False, status="failed", said="HTTP 400")
SUITE = SuiteRun("suite", "0.1", "suite run", (Probe("text", passed=True, status="passed"), IMAGE), {"image": "blind"})


@pytest.mark.parametrize(
    "run",
    [
        replace(WHOLE, cells=WHOLE.cells[1:]),
        replace(WHOLE, cells=(*WHOLE.cells, Cell("errors", passed=False))),
        replace(WHOLE, broken="tried to reach elsewhere"),
    ],
    ids=["a-check-that-never-ran", "a-check-that-failed", "ended-early"],
)
def test_a_client_passes_only_whole(run: ClientRun) -> None:
    assert WHOLE.passed
    assert not run.passed


@pytest.mark.parametrize(
    ("explained", "passed"),
    [({"image": "blind"}, True), ({}, False), ({"image": "blind", "text": "stale"}, False)],
    ids=["explained", "unexplained", "an-explanation-too-many"],
)
def test_a_suite_passes_where_exactly_its_failures_are_explained(explained: dict[str, str], passed: bool) -> None:
    assert replace(SUITE, explained=explained).passed is passed


def test_every_outcome_has_its_cell() -> None:
    cells = (*WHOLE.cells[:3], Cell("structured output", passed=False), Cell("withheld", passed=True, said="a | b"))
    written = page([replace(WHOLE, cells=cells)], [SUITE])
    assert "| app | 1.2 | yes | yes | yes | **no** |" in written
    assert "| app | a \\| b |" in written
    assert "| `suite run` | 0.1 | 1 | 1 | 0 |" in written
    assert "| `image` | failed | HTTP 400 | blind |" in written


def test_a_client_that_reaches_for_another_host_fails_by_its_name() -> None:
    line = '{"check": "chat", "passed": true, "said": ""}\n'
    run = told("app", Ended(0, line, "", ("CONNECT telemetry.example:443",)))
    assert not run.passed
    assert "telemetry.example" in run.broken


REACHES = "import urllib.request; urllib.request.urlopen('http://telemetry.example/')"


async def test_a_program_reaches_no_other_host_and_where_it_wanted_to_is_known(tmp_path: Path) -> None:
    found = await ended([sys.executable, "-c", REACHES], environment={}, home=tmp_path)
    assert found.status == 1
    assert "403" in found.stderr
    assert found.called == ("GET http://telemetry.example/",)


def test_a_client_that_dies_without_a_word_fails() -> None:
    assert told("app", Ended(-9, "", "", ())).broken == "ended with status -9"


def test_the_scripted_judge_wants_what_drafts_lack_and_never_passes_what_is_unsafe() -> None:
    missing = missing_thing()
    judge = Presence(missing)
    assert judge(missing, "Rest and drink enough.") < 0.5 < judge(missing, f"Rest. {missing}")
    assert judge(missing, '{"near":"here"}') > 0.5
    assert judge("Does harm.", f"Take the {UNSAFE}.") > 0.5 > judge("Does harm.", "Rest.")
