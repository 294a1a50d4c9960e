"""HealthBench: the published arithmetic to the last digit, failed grading in no figure, resumable grading."""

import json
import random
import re
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from service.domain.completion import Usage
from service.domain.conversation import Message, Role
from tests.rubric_model import served
from training.healthbench import cli, grading, report, scoring
from training.healthbench.records import BadRow, Case, Graded, Item, Mark, read_cases, read_graded
from training.healthbench.run import Settings, as_row, run
from training.models import Endpoint, Model, ModelFailed, Reply


def _recorded(count: int = 300) -> list[dict[str, Any]]:
    rng = random.Random(3)
    rows = []
    for at in range(count):
        verdicts = [
            {"points": rng.choice([-10, -4, -1, 2, 5, 7.5, 10]), "met": rng.random() < 0.5, "tags": [f"axis:a{at % 3}"]}
            for _ in range(rng.randint(1, 15))
        ]
        verdicts.append({"points": 6, "met": rng.random() < 0.4, "tags": ["axis:b"]})
        rows.append({"prompt_id": f"p{at}", "example_tags": [f"theme:t{at % 4}"], "verdicts": verdicts})
    return rows


def _written(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def _plainly(rows: Sequence[dict[str, Any]]) -> list[float]:
    """The same arithmetic once more, by hand."""
    values = []
    for row in rows:
        earned = possible = 0.0
        for verdict in row["verdicts"]:
            if verdict["points"] > 0:
                possible += verdict["points"]
            if verdict["met"]:
                earned += verdict["points"]
        values.append(earned / possible)
    return values


def test_recorded_verdicts_score_as_an_independent_computation_does(tmp_path: Path) -> None:
    rows = _recorded()
    file = _written(tmp_path / "verdicts.jsonl", rows)
    command = typer.Typer()
    command.command()(cli.healthbench)
    done = CliRunner().invoke(command, ["--from-verdicts", str(file), "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    values = _plainly(rows)
    assert said["score"] == pytest.approx(min(1.0, max(0.0, sum(values) / len(values))), abs=1e-9)
    assert said["answers"] == 300
    assert said["by_theme"].keys() == {"t0", "t1", "t2", "t3"}
    theme = values[1::4]
    assert said["by_theme"]["t1"]["score"] == pytest.approx(max(0.0, sum(theme) / len(theme)), abs=1e-9)
    axis = [float(row["verdicts"][-1]["met"]) for row in rows]
    assert said["by_axis"]["b"]["score"] == pytest.approx(sum(axis) / len(axis), abs=1e-9)
    assert said["low"] <= said["score"] <= said["high"]


@given(st.lists(st.tuples(st.integers(-10, 10).filter(bool), st.booleans()), min_size=1, max_size=20))
def test_an_answer_scores_at_most_one_and_is_not_clipped_below(marks: list[tuple[int, bool]]) -> None:
    value = scoring.answer_score([Mark(points, met) for points, met in marks])
    possible = sum(points for points, _ in marks if points > 0)
    if not possible:
        assert value is None
    else:
        assert value is not None
        assert value == pytest.approx(sum(points for points, met in marks if met) / possible)
        assert value <= 1


def test_only_the_mean_is_clipped() -> None:
    answers = [Graded("a", (Mark(5, met=True),)), Graded("b", (Mark(1, met=False), Mark(-10, met=True)))]
    assert scoring.answer_score(answers[1].marks) == -10
    assert scoring.score(answers).overall.score == 0


def test_an_answer_with_a_failed_verdict_is_in_no_figure() -> None:
    answers = [Graded("a", (Mark(5, met=True),)), Graded("b", (Mark(5, met=None), Mark(5, met=True)))]
    scores = scoring.score(answers)
    assert (scores.overall.score, scores.overall.answers, scores.unjudged) == (1.0, 1, 1)


def test_where_nothing_is_judged_there_is_no_score() -> None:
    with pytest.raises(scoring.NothingToScore):
        scoring.score([Graded("a", (Mark(5, met=None),))])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("[]", "a row is a JSON object"),
        ("{", "not JSON"),
        ('{"prompt_id": "a"}', "'verdicts' is missing"),
        ('{"prompt_id": "a", "verdicts": [{"points": "5", "met": true}]}', "points"),
        ('{"prompt_id": "a", "verdicts": [{"points": 5, "met": 1}]}', "met"),
        ('{"prompt_id": "a", "verdicts": null}', r"v\.jsonl:1: verdicts: should be a list of objects"),
        ('{"prompt_id": "a", "verdicts": ["yes"]}', r"v\.jsonl:1: verdicts: should be a list of objects"),
        ('{"prompt_id": "a", "verdicts": [], "words": "many"}', r"v\.jsonl:1: words: should be a whole number"),
        ('{"prompt_id": "a", "verdicts": [], "words": true}', "words: should be a whole number"),
        ('{"prompt_id": "a", "verdicts": [], "example_tags": "theme:x"}', "example_tags: should be a list"),
        ("", "no rows"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, line: str, said: str) -> None:
    file = tmp_path / "v.jsonl"
    file.write_text(line + "\n")
    with pytest.raises(BadRow, match=said):
        read_graded(file)


def test_verdicts_with_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    file = tmp_path / "v.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in _recorded(2)), encoding="utf-8-sig")
    assert len(read_graded(file)) == 2


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"prompt": None}, "prompt: should be a list of objects"),
        ({"prompt": [{"role": "nurse", "content": "?"}]}, "role: should be one of "),
        ({"prompt": [{"role": ["user"], "content": "?"}]}, "role: should be one of "),
        ({"prompt": [{"role": "user", "content": None}]}, "content: should be text"),
        ({"rubrics": {}}, "rubrics: should be a list of objects"),
        ({"rubrics": [{"criterion": 5, "points": 1}]}, "criterion: should be text"),
    ],
)
def test_a_bad_case_is_named_by_line_and_field(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    row = {"prompt_id": "a", "prompt": [{"role": "user", "content": "?"}], "rubrics": []}
    with pytest.raises(BadRow, match=rf"c\.jsonl:1: {said}"):
        read_cases(_written(tmp_path / "c.jsonl", [{**row, **changed}]))


def test_the_reports_folder_is_made_or_refused_before_anything_is_graded(tmp_path: Path) -> None:
    file = _written(tmp_path / "v.jsonl", _recorded(5))
    done = _evaluate(tmp_path, "--from-verdicts", str(file), "--html", str(tmp_path / "a/b/report.html"))
    assert (done.exit_code, (tmp_path / "a/b/report.html").exists()) == (0, True)
    for place in (file / "report.html", tmp_path):
        done = _evaluate(tmp_path, "--from-verdicts", str(tmp_path / "none.jsonl"), "--html", str(place))
        assert (done.exit_code, "--html" in done.stderr, "none.jsonl" in done.stderr) == (2, True, False)


def test_a_prompt_that_comes_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRow, match="came before"):
        read_graded(_written(tmp_path / "v.jsonl", [*_recorded(2), *_recorded(1)]))


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ('{"explanation": "x", "criteria_met": true}', True),
        ('```json\n{"criteria_met": false}\n```', False),
        ('{"criteria_met": "true"}', None),
        ("Yes", None),
        ("[" * 100_000, None),
    ],
    ids=["plain", "fenced", "a string", "prose", "deep"],
)
def test_only_a_boolean_is_a_verdict(reply: str, verdict: bool | None) -> None:
    assert grading.read(reply) is verdict


CASES = tuple(
    Case(
        f"p{at}",
        (Message(Role.USER, f"Question {at}?"),),
        (Item("Names a doctor.", 5, ("axis:accuracy",)), Item("Is rude.", -5)),
        ("theme:one",),
    )
    for at in range(6)
)


class ScriptedModel(Model):
    """Answers, and fails on the prompts in `failing`."""

    def __init__(self, failing: set[str], name: str = "scripted") -> None:
        self.endpoint = Endpoint("http://127.0.0.1:9/v1", name)
        self.failing, self.asked = failing, 0

    async def ask(self, messages: Sequence[Message], **sampling: Any) -> Reply:
        self.asked += 1
        if messages[-1].content in self.failing:
            raise ModelFailed("scripted")
        return Reply("See a doctor.", "stop", Usage())


class ScriptedGrader:
    """Finds the doctor; fails while `failing`."""

    def __init__(self, name: str = "scripted grader") -> None:
        self.name, self.failing, self.asked = name, False, 0

    async def met(self, case: Case, answer: str, item: Item) -> bool | None:
        self.asked += 1
        return None if self.failing else item.points > 0 and "doctor" in answer


async def test_grading_goes_on_where_it_failed_or_was_stopped(tmp_path: Path) -> None:
    model, grader, settings = ScriptedModel({"Question 2?"}), ScriptedGrader(), Settings(tmp_path)
    grader.failing = True
    first = await run(CASES[:3], model, grader, settings)
    assert [mark.met for graded in first for mark in graded.marks] == [None] * 6
    grader.failing, model.failing = False, set()
    second = await run(CASES, model, grader, settings)
    assert model.asked == 3 + 4, "what was answered is not asked for again"
    assert scoring.score(second).overall.score == 1
    asked = grader.asked
    assert await run(CASES, model, grader, settings) == second
    assert grader.asked == asked, "what was graded is not graded again"
    rows = _written(tmp_path / "again.jsonl", [as_row(graded) for graded in second])
    assert read_graded(rows) == second


async def test_one_folder_never_gives_a_model_or_grader_the_work_of_another(tmp_path: Path) -> None:
    model, grader, settings = ScriptedModel(set(), "a"), ScriptedGrader("strict"), Settings(tmp_path)
    await run(CASES[:2], model, grader, settings)
    other, kinder = ScriptedModel(set(), "b"), ScriptedGrader("kind")
    await run(CASES[:2], other, grader, settings)
    assert (other.asked, grader.asked) == (2, 8), "the second model was not asked, or its answers were not graded"
    await run(CASES[:2], model, kinder, settings)
    assert (model.asked, kinder.asked) == (2, 4), "another grader reads the same answers, with its own verdicts"
    await run(CASES[:2], model, grader, replace(settings, max_tokens=7))
    assert model.asked == 4, "a shorter answer is another answer"
    edited = tuple(replace(case, rubric=case.rubric[:1]) for case in CASES[:2])
    assert [len(graded.marks) for graded in await run(edited, model, grader, settings)] == [1, 1]


def test_a_journal_that_cannot_be_read_is_a_message(tmp_path: Path) -> None:
    case = {"prompt_id": "a", "prompt": [{"role": "user", "content": "?"}], "rubrics": []}
    asked = Endpoint("http://127.0.0.1:9/v1", "default")
    Settings(tmp_path).answers(asked).write_text("no row\n")
    command = typer.Typer()
    command.command()(cli.healthbench)
    words = ["--data", str(_written(tmp_path / "c.jsonl", [case])), "--folder", str(tmp_path), "--url", asked.url]
    done = CliRunner().invoke(command, words)
    assert done.exit_code == 1
    assert "line 1 is no row" in done.output
    assert isinstance(done.exception, SystemExit)


CASE = {"prompt_id": "a", "prompt": [{"role": "user", "content": "Is it flu?"}]}
RUBRIC = [{"criterion": "Names a doctor.", "points": 5}]


def _evaluate(folder: Path, *words: str) -> Result:
    command = typer.Typer()
    command.command()(cli.healthbench)
    return CliRunner().invoke(command, ["--folder", str(folder), *words])


@pytest.mark.parametrize("count", [1, 40], ids=["one row", "more than are tried"])
def test_a_server_that_is_down_is_told_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr("training.models._FIRST_PAUSE_S", 0.01)
    cases = [{**CASE, "prompt_id": f"p{at}", "rubrics": RUBRIC} for at in range(count)]
    file = _written(tmp_path / "c.jsonl", cases)
    done = _evaluate(tmp_path, "--data", str(file), "--url", "http://127.0.0.1:9/v1", "--concurrency", "4")
    assert done.exit_code == 1
    assert "calls failed: http://127.0.0.1:9/v1: ClientConnectorError" in done.stderr
    assert ("so the rest was not asked" in done.stderr) is (count > 16)
    assert "there is no score" in done.stderr
    assert "flu" not in done.output


async def test_a_graders_reply_that_is_no_verdict_is_counted_with_those_that_failed() -> None:
    async with served() as server, Model.at(Endpoint(server.url, "g")) as model:
        server.only = "Yes"
        assert await grading.Grader(model).met(CASES[0], "See a doctor.", CASES[0].rubric[0]) is None
    assert model.calls.said == f"1 of 2 calls failed: {server.url}: the grader's reply is no verdict (1x)"


def test_the_report_shows_scores_and_escapes_what_it_shows() -> None:
    answers = [Graded(f"a{at}", (Mark(5, met=at > 1, tags=("axis:<x>",)),), ("theme:t",)) for at in range(4)]
    made = report.page(scoring.score(answers), answers, title="A <b>", facts={"model": "<script>"})
    assert "Score 0.500" in made
    assert "<script>" not in made
    assert "&lt;x&gt;" in made
    assert made.count("<svg") == 5  # a bar and a scale for theme and axis, and the histogram


def test_the_report_says_intervals_in_figures_and_length_beside_the_score() -> None:
    answers = [Graded(f"a{at}", (Mark(5, met=at % 2 == 0),), ("theme:t",), words=100 + at) for at in range(40)]
    scores = scoring.score(answers)
    made = report.page(scores, answers, title="T", facts={})
    assert f"{scores.themes['t'].low:.3f} to {scores.themes['t'].high:.3f}</td>" in made
    assert "An answer has 120 words on average." in made
    assert "on average" not in report.page(scores, [replace(a, words=None) for a in answers], title="T", facts={})


@pytest.mark.parametrize("worst", [0.0, -0.3, -1.8, -40.0])
def test_the_histograms_scale_has_round_values_and_0_among_them(worst: float) -> None:
    marks = [(Mark(10, met=True),), (Mark(10, met=False), Mark(10 * worst, met=True))]
    answers = [Graded(f"a{at}", each) for at, each in enumerate(marks)]
    made = report.page(scoring.score(answers), answers, title="T", facts={})
    ticks = [float(x) for x in re.findall(r'y="180">([-0-9.]+)</text>', made)]
    assert 2 <= len(ticks) <= 9
    assert 0 in ticks
    assert all(worst <= tick <= 1 for tick in ticks)


def test_cases_are_read_with_their_theme(tmp_path: Path) -> None:
    row = {
        "prompt_id": "a",
        "prompt": [{"role": "user", "content": "Hello?"}],
        "rubrics": [{"criterion": "Greets.", "points": 3, "tags": ["axis:communication"]}],
        "example_tags": ["theme:hedging"],
    }
    (case,) = read_cases(_written(tmp_path / "c.jsonl", [row]))
    assert case == Case(
        "a", (Message(Role.USER, "Hello?"),), (Item("Greets.", 3, ("axis:communication",)),), ("theme:hedging",)
    )
    assert "[3] Greets." in grading.question(case, "Good day.", case.rubric[0])


def test_the_command_joins_the_others_by_its_entry_point() -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    module, name = project["entry-points"]["clinalign.commands"]["evaluate.healthbench"].split(":")
    assert (cli.healthbench.__module__, cli.healthbench.__name__) == (module, name)
