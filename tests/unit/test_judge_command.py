"""`clinalign evaluate judge` on rows of our own: JSON, predictions, page and plot."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from principles_store import encoder as encoder_module
from service.cli import judging
from service.cli.commands import commands
from service.cli.judging import SMALL_JUDGE
from service.domain.completion import Ask, Completion, TokenProbability
from service.domain.errors import SettingsError
from service.domain.verdict import Presence
from service.entailment import reader as reader_module
from service.entailment.reader import AnswerReader
from service.judge_evaluation.asking import Predictions, ask_judge
from service.judge_evaluation.at_once import AtOnceJudge
from service.judge_evaluation.bench import bench
from service.judge_evaluation.command import JudgeKind, Places, evaluate, sample, write_predictions
from service.judge_evaluation.report import compose
from service.judge_evaluation.rows import Row, read_rows
from service.pipeline.judge import ModelJudge
from service.prompts import verdicts
from tests.fakes import FakeEngine

ANSWERS = {
    "How do I treat a cold?": "Rest and drink plenty of water. Paracetamol can ease the fever.",
    "What helps a burn?": "Cool the burn under running water for twenty minutes. Do not put butter on it.",
}
CLAIMS = ("Drink plenty of water.", "Cool the burn under running water.", "Take an antibiotic.")


@pytest.fixture(scope="module", autouse=True)
def once() -> Iterator[None]:
    """Ten criteria are timed once for all tests, since none looks at the time; and each model's file is opened once."""
    timed: list[Mapping[str, float]] = []

    def bench_once(reader: AnswerReader) -> Mapping[str, float]:
        if not timed:
            timed.append(bench(reader, runs=1))
        return timed[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("service.judge_evaluation.command.bench", bench_once)
        for module in (reader_module, encoder_module):
            patch.setattr(module, "_session", cache(module._session))
        yield


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rows = [
        {"Question": question, "answer": answer, "claim": claim, **votes(question, claim), "category_x": "Must_have"}
        for question, answer in ANSWERS.items()
        for claim in CLAIMS
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def votes(question: str, claim: str) -> dict[str, str]:
    told = ("cold" in question and "Drink" in claim) or ("burn" in question and "burn" in claim)
    return {f"label_{k}": "Entailment" if told else "Neutral" for k in range(3)}


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(commands, ["evaluate", "judge", *arguments])
    return result.exit_code, result.stdout


def test_json_holds_the_figures_and_nothing_else_goes_to_stdout(data: Path, tmp_path: Path) -> None:
    predictions, page = tmp_path / "said.jsonl", tmp_path / "judge.md"
    files = ("--predictions", str(predictions), "--page", str(page), "--also", str(data))
    code, out = run("--data", str(data), "--json", *files)
    found: dict[str, Any] = json.loads(out)
    assert code == 0
    assert found["macro_f1"] > 0.8
    assert {"accuracy", "kappa", "ece", "bins", "categories", "milliseconds", "above", "physicians"} <= found.keys()
    assert found["provenance"] == {"cross_fitted": 0, "fresh": 6, "seen": 0}
    said = [json.loads(line) for line in predictions.read_text().splitlines()]
    assert [row["index"] for row in said] == list(range(6))
    assert [said[at]["present"] for at in (0, 4)] == [True, True], "what the answers say"
    assert sum(row["present"] for row in said) <= 3, "and little else"
    assert all(0.0 <= row["probability"] <= 1.0 for row in said)
    assert page.read_text().startswith("## Judge")
    assert "judge-reliability.svg" in page.read_text()
    assert (
        "`clinalign evaluate judge --data FOLDER/rows.jsonl --also FOLDER/rows.jsonl --page judge.md`"
        in page.read_text()
    )
    assert "On rows.jsonl (6 rows with a label, 2 conversations, evaluated only)" in page.read_text()
    assert "- On rows.jsonl it does " in page.read_text()
    assert "always giving the commoner label (macro-F1 +" in page.read_text()


def test_healthbenchs_format_has_rows_by_category_and_its_calibration(data: Path, tmp_path: Path) -> None:
    asks = {"prompt": [{"role": "user", "content": "How do I treat a cold?"}], "completion": "Rest and drink water."}
    meta, page = tmp_path / "meta.jsonl", tmp_path / "judge.md"
    meta.write_text(
        "\n".join(
            json.dumps(
                {**asks, "rubric": claim, "binary_labels": [at == 0], "category": f"cluster:cluster:kind_{at % 2}"}
            )
            for at, claim in enumerate(CLAIMS)
        )
    )
    code, _ = run("--data", str(data), "--page", str(page), "--also", str(meta))
    assert code == 0
    elsewhere = page.read_text().split("On meta.jsonl")[1].split("What it can't do")[0]
    assert re.search(r"kappa -?\d\.\d{3}, ECE \d\.\d{3}, \d unknown", elsewhere)
    rows = [line.split(" | ") for line in elsewhere.splitlines() if line.startswith("| kind_")]
    assert [row[:3] for row in rows] == [["| kind_0", "2", "0.50"], ["| kind_1", "1", "0.00"]]
    assert [row[3] == "one label" for row in rows] == [False, True], "no mean over both kinds where there is one"
    assert "| Rows of | Rows | Physicians say yes | Macro-F1 | Accuracy |" in elsewhere


def without_labels(data: Path, *, but: int | None = None) -> Path:
    """The same rows with the labels of none, or of one of them."""
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    blind = [row if at == but else {k: v for k, v in row.items() if "label" not in k} for at, row in enumerate(rows)]
    path = data.with_name("blind.jsonl")
    path.write_text("\n".join(json.dumps(row) for row in blind), encoding="utf-8")
    return path


def test_a_file_without_labels_gets_predictions_and_no_figures(data: Path, tmp_path: Path) -> None:
    said, page = tmp_path / "said.jsonl", tmp_path / "judge.md"
    blind = without_labels(data)
    files = ("--predictions", str(said), "--page", str(page), "--also", str(blind))
    code, out = run("--data", str(blind), "--json", *files)
    found = json.loads(out)
    assert code == 0
    assert (found["rows"], found["labelled"]) == (6, 0)
    names = ("macro_f1", "macro_f1_interval_95", "accuracy", "kappa", "ece", "physicians")
    assert [found[name] for name in names] == [None] * 6
    assert found["baselines"] == found["above"] == {}
    lines = [json.loads(line) for line in said.read_text().splitlines()]
    assert [line["index"] for line in lines] == list(range(6))
    assert [lines[at]["present"] for at in (0, 4)] == [True, True]
    assert "None of the 6 rows has a label" in page.read_text()
    code, out = run("--data", str(blind))
    assert code == 0
    assert "no labels" in out


def test_a_file_labelled_in_part_is_measured_on_that_part(data: Path, tmp_path: Path) -> None:
    blind, page = without_labels(data, but=0), tmp_path / "judge.md"
    code, out = run("--data", str(blind), "--json", "--page", str(page), "--also", str(without_labels(data, but=0)))
    found = json.loads(out)
    assert code == 0
    assert (found["rows"], found["labelled"], found["labels"]) == (6, 1, 3)
    assert found["accuracy"] == 1.0
    assert page.read_text().count("no labels") == 0


def test_predictions_are_kept_before_anything_is_measured(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("service.judge_evaluation.command.compose", broken)
    said = tmp_path / "said.jsonl"
    code, _ = run("--data", str(data), "--predictions", str(said))
    assert code != 0
    assert len(said.read_text().splitlines()) == 6


def test_predictions_that_cannot_be_written_are_said_so(data: Path, tmp_path: Path) -> None:
    rows = read_rows(data)
    with pytest.raises(SettingsError, match="cannot be written"):
        write_predictions(tmp_path / "no" / "folder", rows, Predictions((Presence(None),) * 6, 1.0))


def test_a_row_without_an_answer_is_unknown_and_counted(data: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in data.read_text().splitlines()]
    rows[1]["answer"] = None
    data.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    said = tmp_path / "said.jsonl"
    result = CliRunner().invoke(
        commands, ["evaluate", "judge", "--data", str(data), "--json", "--predictions", str(said)]
    )
    assert result.exit_code == 0
    assert "Rows without an answer: 1 (from 0: 1)" in result.stderr
    assert json.loads(result.stdout)["unanswered"] == 1
    lines = [json.loads(line) for line in said.read_text().splitlines()]
    assert lines[1] == {"index": 1, "present": False, "probability": 0.0, "unknown": True}
    assert lines[0]["unknown"] is False


def test_a_prediction_reads_as_truth_and_number_unless_the_judge_gives_no_number(tmp_path: Path) -> None:
    rows = [Row(at, (), "Yes.", "Says yes.", (), "q", ()) for at in range(3)]
    found = (Presence(None), Presence(present=True, probability=0.9), Presence(present=False))
    write_predictions(tmp_path / "said.jsonl", rows, Predictions(found, 1.0))
    lines = [json.loads(line) for line in (tmp_path / "said.jsonl").read_text().splitlines()]
    assert [(line["present"], line["probability"]) for line in lines] == [(False, 0.0), (True, 0.9), (False, None)]


async def test_a_model_is_not_asked_about_an_answer_that_is_not_there() -> None:
    rows, engine = [Row(0, (), "", "Names water.", (), "q", ())], FakeEngine(yes_to_water)
    found = await ask_judge(ModelJudge(engine, "m"), rows, progress=lambda *_: None)
    assert found.told == (False,)
    assert not engine.asks


def test_errors_are_counted_by_kind() -> None:
    labels = [(True, True, True), (True, True, False), (False, False, False), (False, True, False)]
    rows = [
        Row(at, (), "Drink plenty of water.", claim, votes, f"q{at}", ())
        for at, (votes, claim) in enumerate(
            zip(labels, (*["Drink water."] * 3, "Take paracetamol daily."), strict=True)
        )
    ]
    said = Predictions((Presence(None), Presence(present=True), Presence(present=True), Presence(present=True)), 1.0)
    passed, missed = compose("j", rows, said, {}).errors
    assert (passed.rows, passed.split, passed.wordy, passed.unknown) == (2, 1, 1, 0)
    assert (missed.rows, missed.split, missed.wordy, missed.unknown) == (1, 0, 1, 1)


def test_the_plot_is_the_same_bytes_each_time(data: Path, tmp_path: Path) -> None:
    plots = []
    for name in "ab":
        (folder := tmp_path / name).mkdir()
        run("--data", str(data), "--page", str(folder / "page.md"))
        plots.append((folder / "judge-reliability.svg").read_bytes())
    assert plots[0] == plots[1]


def test_a_table_is_shown_by_default(data: Path) -> None:
    code, out = run("--data", str(data))
    assert code == 0
    name = "".join(line.split("│")[1].strip() for line in out.splitlines() if line.startswith("│"))
    assert "clinalign-judge" in name


def test_a_judge_behind_no_url_is_refused(data: Path) -> None:
    code, _ = run("--data", str(data), "--judge", "upstream")
    assert code != 0


@pytest.mark.parametrize(
    ("judges", "asked"),
    [
        (["self"], {"self": "upstream"}),
        (["upstream"], {"upstream": "upstream"}),
        (["small", "self", "upstream"], {"small": "upstream", "self": "embedded", "upstream": "upstream"}),
    ],
    ids=["the served model there", "a judge there", "both"],
)
def test_beside_a_judge_at_the_upstream_the_served_model_is_the_embedded_one(
    data: Path, monkeypatch: pytest.MonkeyPatch, judges: list[str], asked: dict[str, str]
) -> None:
    found: dict[str, str] = {}

    def judged(kind: JudgeKind, _rows: object, places: Places, **_: object) -> tuple[object, None]:
        found[kind.value] = "embedded" if places.upstream is None else "upstream"
        return object(), None

    monkeypatch.setattr(judging, "evaluate", judged)
    monkeypatch.setattr(judging, "_show", lambda _: None)
    named = [word for judge in judges for word in ("--judge", judge)]
    code, _ = run("--data", str(data), *named, "--upstream", "http://127.0.0.1:9/v1")
    assert (code, found) == (0, asked)


def test_a_sample_keeps_answers_whole(data: Path) -> None:
    rows = read_rows(data)
    assert sample(rows, None) == rows
    chosen = sample(rows, 3)
    assert {row.answer for row in chosen} == {rows[0].answer}
    assert len(chosen) == len(CLAIMS)


def yes_to_water(ask: Ask) -> Completion:
    """Says yes to what names water; in JSON where all is asked at once."""
    last = ask.prompt.messages[-1].content
    lines = [line for line in last.splitlines() if line[:1].isdigit()]
    if lines:
        return Completion(json.dumps({"present": ["water" in line for line in lines]}), "stop")
    chance = 0.9 if "water" in last else 0.2
    return Completion("", "stop", first_token=(TokenProbability("Yes", chance), TokenProbability("No", 1 - chance)))


async def test_a_model_is_asked_each_criterion_or_all_at_once_and_says_the_same(data: Path) -> None:
    rows, engine = read_rows(data), FakeEngine(yes_to_water)
    each = await ask_judge(ModelJudge(engine, "m"), rows, progress=lambda *_: None)
    calls = len(engine.asks)
    together = await ask_judge(AtOnceJudge(engine, "m"), rows, progress=lambda *_: None)
    assert each.told == together.told == (True, True, False) * 2
    assert (calls, len(engine.asks) - calls) == (6, 2)


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "[]",
        '{"present": true}',
        '{"present": [true]}',
        '{"present": [true, 1]}',
        '{"present": [true, true], "a": 1}',
    ],
    ids=["empty", "list", "no list", "short", "a number", "extra"],
)
def test_a_reply_that_is_not_the_schema_is_unknown(reply: str) -> None:
    assert [presence.present for presence in verdicts.read(reply, 2)] == [None, None]


def test_the_schema_wants_one_boolean_a_criterion() -> None:
    assert json.loads(verdicts.schema(3))["properties"]["present"]["maxItems"] == 3
    assert "2. b" in verdicts.instruction(["a", "b"]).content


def test_without_the_encoder_cosine_is_left_out(data: Path, tmp_path: Path) -> None:

    places = Places(small=SMALL_JUDGE, encoder=tmp_path / "none", gguf=tmp_path / "none")
    report, _ = evaluate(JudgeKind.SMALL, read_rows(data), places, progress=lambda *_: None)
    assert set(report.baselines) == {"majority", "overlap"}
    assert report.judge.startswith("clinalign-judge")
