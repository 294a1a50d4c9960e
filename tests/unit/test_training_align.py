"""Alignment's plain parts: the TOML is read strictly, rows are held out by id, rollouts resume, pairs are apart."""

import asyncio
import json
import runpy
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from service.domain.conversation import Message, Role
from training import budget
from training.align import whole
from training.align.config import BadRun, read
from training.align.needs import need_for_training, need_options
from training.align.rollouts import pairs, roll_out
from training.align.row import Row
from training.align.rows import WordingsJudge, load
from training.cli import commands
from training.healthbench.records import BadRow
from training.journal import Journal
from training.reward.rubric import Item, Rubric, row
from training.reward.scorer import Scorer

RUNS = Path("training/runs")
GOOD = '[run]\nname = "x"\nseed = 1\nbase = "b"\nstages = ["sft"]\n'


@pytest.mark.parametrize("name", ["smoke", "demo", "demo-gpu", "clinalign-4b", "clinalign-30b-a3b"])
def test_the_runs_that_are_shipped_are_read(name: str) -> None:
    config = read(RUNS / f"{name}.toml")
    assert config.name == name
    assert [stage.options for stage in config.stages if not stage.options] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[run", "Expected"),
        ("", r"\[run\] wants base"),
        (GOOD.replace("sft", "ppo"), "each is one of dialogues, sft, dpo, grpo"),
        (GOOD.replace('"sft"', '"sft", "sft"'), "each may come once"),
        (GOOD + "[date]\n", r"\[date\] is not a section"),
        (GOOD + "[data]\nrow = 'x'\n", r"\[data\] row is not known; it has rows, dialogues"),
        (GOOD + "[rollouts]\nsamples = 'many'\n", r"\[rollouts\] samples should be a whole number"),
        (GOOD + "[rollouts]\nsamples = true\n", r"\[rollouts\] samples should be a whole number"),
        (GOOD + "sede = 2\n", r"\[run\] sede is not known; it has name, seed"),
        (GOOD.replace("seed = 1", 'seed = "abc"'), r"\[run\] seed should be a whole number"),
        (GOOD.replace('"x"', '""'), r"\[run\] name should not be empty"),
        (GOOD.replace('["sft"]', '[["sft"]]'), r"\[run\] stages should be a list of texts"),
        (GOOD.replace('["sft"]', '"sft"'), r"\[run\] stages should be a list of texts"),
        (GOOD.replace('["sft"]', "[]"), r"\[run\] stages: each is one of"),
        (GOOD + "[dpo]\nmax_steps = 3\n", r"\[dpo\] is none of the stages that \[run\] stages names: sft"),
        ("run = 5\n", r"run should be a section: a line \[run\]"),
        ("sft = 5\n" + GOOD, r"sft should be a section"),
        (GOOD + "[gate]\njudge = 5\n", r"\[gate\] judge should be a text"),
    ],
)
def test_a_run_with_one_thing_wrong_says_which(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "run.toml"
    path.write_text(text)
    with pytest.raises(BadRun, match=said) as error:
        read(path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_a_runs_file_may_begin_with_a_mark_of_its_encoding(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text("\ufeff" + GOOD, encoding="utf-8")
    assert read(tmp_path / "run.toml").raw["run"]["seed"] == 1
    (tmp_path / "run.toml").write_text("\ufeff" + GOOD, encoding="utf-16")
    with pytest.raises(BadRun, match=r"run\.toml: .*can't decode"):
        read(tmp_path / "run.toml")


FULL = GOOD + '[data]\nrows = "rows.jsonl"\n[synthesis]\nqueries = "q.jsonl"\n[gate]\njudge = "judge"\n'


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("b", r"\[run\] base: b is no folder with config.json and safetensors; put"),
        ("rows.jsonl", r"\[data\] rows: there is no file rows.jsonl; make it by `clinalign train synthesize"),
        ("q.jsonl", r"\[synthesis\] queries: there is no file q.jsonl; name"),
        ("judge", r"\[gate\] judge: there is no folder judge; put"),
        ("b/manifest.json", r"\[synthesis\] url: b is not served here"),
    ],
)
def test_what_a_run_lacks_is_said_before_its_first_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for file in ("run.toml", "rows.jsonl", "q.jsonl", "b/config.json", "b/manifest.json", "b/w.safetensors", "judge/a"):
        if not file.startswith(missing):
            Path(file).parent.mkdir(exist_ok=True)
            Path(file).write_text('{"gguf_sha256": ""}' if file.endswith(".json") else FULL)
    with pytest.raises(BadRun, match=rf"^run\.toml: {said}"):
        whole.run(read(Path("run.toml")), Path("run.toml"))


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("", "^the optimisers need the training environment: run `make install-align`$"),
        ("echo ModuleNotFoundError: No module named trl >&2; exit 1", "lacks a package .*make install-align"),
        ("echo Warning >&2; echo run.toml: what it says >&2; exit 1", r"^run\.toml: what it says$"),
        ("exit 3", "^exit status 3$"),
    ],
    ids=["none", "without TRL", "refused", "killed"],
)
def test_the_training_environment_is_asked_before_anything_is_spent(tmp_path: Path, script: str, said: str) -> None:
    python = tmp_path / "python"
    if script:
        python.write_text(f"#!/bin/sh\n{script}\n")
        python.chmod(0o755)
    with pytest.raises(BadRun, match=said):
        need_options(Path("run.toml"), python)


def test_the_training_environment_is_asked_by_the_options_alone(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n')
    python.chmod(0o755)
    need_options(Path("run.toml"), python)
    assert (tmp_path / "asked").read_text() == "-m training.align.run --check run.toml\n"


@pytest.mark.parametrize(
    ("more", "judged", "refused"),
    [
        ('[data]\nrows = "rows.jsonl"\n', False, True),
        ('[data]\nrows = "rows.jsonl"\n', True, False),
        ('[data]\nrows = "rows.jsonl"\n[reward]\nurl = "http://127.0.0.1:9/v1"\n', False, False),
        ("[data]\ndialogues = 3\n", False, False),
        ('[synthesis]\nqueries = "q.jsonl"\n', False, True),
    ],
    ids=["rows", "a judge is handed over", "a judge is named", "generated", "synthesised"],
)
def test_synthesised_rows_without_a_judge_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str, judged: bool, refused: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("b").mkdir()
    for file in ("b/config.json", "b/w.safetensors", "rows.jsonl", "q.jsonl"):
        Path(file).touch()
    Path("run.toml").write_text(GOOD + more)
    with pytest.raises(BadRun, match=r"\[reward\] url: .* as in url = ") if refused else nullcontext():
        need_for_training(read(Path("run.toml")), judged=judged)


def test_a_command_without_torch_says_which_installation_brings_it() -> None:
    ran = CliRunner().invoke(commands, ["align", str(RUNS / "smoke.toml")])
    assert ran.exit_code == 2
    assert "clinalign train align needs torch: run `make install-align`" in ran.output


WHOLE = row([{"role": "user", "content": "a word of a patient's"}], Rubric((Item("c", 1),)), extra={"id": "r"})


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"prompt": None}, "prompt should be a list of turns"),
        ({"prompt": "text"}, "prompt should be"),
        ({"prompt": [{"role": "nurse", "content": "a word of a patient's"}]}, "prompt should be"),
        ({"prompt": []}, "prompt should be"),
        ({"extra_info": {}}, "extra_info should be an object with id"),
        ({"rubrics": "a word of a patient's"}, "rubrics should be"),
        ({"rubrics": 5}, "rubrics should be"),
    ],
    ids=["no prompt", "a text", "a role", "no turn", "no id", "no JSON", "a number"],
)
def test_rows_of_another_kind_are_refused_by_file_line_and_field(
    tmp_path: Path, changed: dict[str, object], said: str
) -> None:
    broken = {name: value for name, value in {**WHOLE, **changed}.items() if value is not None}
    (tmp_path / "rows.jsonl").write_text(f"{json.dumps(WHOLE)}\n{json.dumps(broken)}\n")
    (tmp_path / "run.toml").write_text(GOOD + f'[data]\nrows = "{tmp_path}/rows.jsonl"\n')
    with pytest.raises(BadRow, match=rf"^rows\.jsonl:2: {said}") as error:
        load(read(tmp_path / "run.toml"))
    assert "patient" not in str(error.value)


@pytest.mark.parametrize(("stages", "refused"), [('"sft", "dpo"', True), ('"sft", "grpo"', False), ('"dpo"', False)])
def test_the_bases_server_writes_for_the_first_stage_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stages: str, refused: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("b").mkdir()
    for file in ("b/config.json", "b/w.safetensors"):
        Path(file).touch()
    text = GOOD.replace('"sft"', stages) + '[rollouts]\nurl = "http://127.0.0.1:9/v1"\n'
    Path("run.toml").write_text(text)
    with pytest.raises(BadRun, match="a server of the base") if refused else nullcontext():
        need_for_training(read(Path("run.toml")))


def test_the_demonstration_runs_say_how_to_get_their_editions() -> None:
    for name in ("demo", "demo-gpu"):
        config = read(RUNS / f"{name}.toml")
        for folder in (config.base, config.gate.judge):
            committed = folder.startswith("training/checkpoints/") and Path(folder, "manifest.json").is_file()
            assert committed or f"tar -x --strip-components=3 -C {folder}" in config.text


def test_refusals_and_emergencies_are_dealt_out_among_the_other_rows() -> None:
    config = replace(read(RUNS / "smoke.toml"), synthesis=None)
    plain = load(config)
    dealt = load(replace(config, data=replace(config.data, grave=config.data.dialogues // 2)))
    mine = ["/grave/" in row.id for row in dealt.train]
    assert [row for row, is_grave in zip(dealt.train, mine, strict=True) if not is_grave] == list(plain.train)
    assert 2 < sum(mine) < len(mine)
    assert any(mine[: len(mine) // 2])
    assert any(mine[len(mine) // 2 :])


def test_generated_rows_are_split_by_id_and_judged_by_their_wordings() -> None:
    config = replace(read(RUNS / "smoke.toml"), synthesis=None)
    rows = load(config)
    everything = (*rows.train, *rows.held_out)
    assert not {row.id for row in rows.train} & {row.id for row in rows.held_out}
    assert len({row.id for row in everything}) == len(everything) > 10
    judge = WordingsJudge(everything)
    row = next(row for row in everything if any(row.wordings.values()))
    criterion, wordings = next((c, w) for c, w in row.wordings.items() if w)
    assert asyncio.run(judge.does(row.prompt, f"First. {wordings[0]} Last.", criterion)) is True
    assert asyncio.run(judge.does(row.prompt, "Nothing of the kind.", criterion)) is False
    assert asyncio.run(judge.does(row.prompt, wordings[0], "Some other criterion.")) is None
    assert asyncio.run(judge.does((Message(Role.USER, "Another."),), wordings[0], criterion)) is None


@given(st.text(), st.integers(2, 20))
def test_a_row_is_held_out_by_its_id_alone(name: str, one_in: int) -> None:
    rubric = Rubric((Item("c", 1),))
    row = Row(name, (Message(Role.USER, "a"),), rubric)
    other = Row(name, (Message(Role.USER, "b"),), rubric)
    assert row.is_held_out(one_in) is other.is_held_out(one_in)


def _rows(count: int) -> list[Row]:
    rubric = Rubric((Item("good", 5), Item("bad", -5)))
    wordings = {"good": ("Good.",), "bad": ("Bad.",)}
    return [Row(f"r{at}", (Message(Role.USER, f"Q{at}"),), rubric, wordings) for at in range(count)]


class Writes:
    """Three answers a row, by the seed; stops at a row when told to."""

    def __init__(self, stop_at: str = "") -> None:
        self.stop_at, self.asked = stop_at, 0

    def __call__(self, rows: Sequence[Row], *, seed: int) -> list[list[str]]:
        if self.stop_at in {row.id for row in rows}:
            raise KeyboardInterrupt
        self.asked += len(rows)
        return [["Good.", "Bad.", f"Seed {seed} {row.id}."] for row in rows]


def test_rollouts_go_on_where_they_were_stopped(tmp_path: Path) -> None:
    rows = _rows(10)
    scorer = Scorer(WordingsJudge(rows))
    with Journal(tmp_path / "whole.jsonl") as whole:
        roll_out(rows, Writes(), scorer, whole, seed=5, batch=3)
        expected = {name: whole[name]["answers"] for name in whole}
    with pytest.raises(KeyboardInterrupt), Journal(tmp_path / "stopped.jsonl") as stopped:
        roll_out(rows, Writes("r7"), scorer, stopped, seed=5, batch=3)
    again = Writes()
    with Journal(tmp_path / "stopped.jsonl") as stopped:
        assert len(stopped) == 6
        roll_out(rows, again, scorer, stopped, seed=5, batch=3)
        assert {name: stopped[name]["answers"] for name in stopped} == expected
    assert again.asked == 4


class Failing(WordingsJudge):
    """The judge, which fails on answers with these words for as long as it is out."""

    def __init__(self, rows: Sequence[Row], *failing: str) -> None:
        super().__init__(rows)
        self.failing, self.asked = failing, 0

    async def does(self, prompt: Sequence[Message], answer: str, criterion: str) -> bool | None:
        self.asked += 1
        return None if any(word in answer for word in self.failing) else await super().does(prompt, answer, criterion)


def test_a_judges_outage_is_not_kept_and_the_next_start_asks_again(tmp_path: Path) -> None:
    rows = _rows(4)
    judge = Failing(rows, "r1", "r3")
    with Journal(tmp_path / "j.jsonl") as journal:
        assert roll_out(rows, Writes(), Scorer(judge), journal, seed=5, batch=2) == 2
        assert set(journal) == {"r0", "r2"}
        assert [pair.row.id for pair in pairs(rows, journal)] == ["r0", "r2"]
    judge = Failing(rows)
    with Journal(tmp_path / "j.jsonl") as journal, Journal(tmp_path / "whole.jsonl") as whole:
        assert roll_out(rows, Writes(), Scorer(judge), journal, seed=5, batch=2) == 0
        assert judge.asked == 2 * 3 * 2, "two rows of three answers by two criteria; what is kept is not judged again"
        roll_out(rows, Writes(), Scorer(WordingsJudge(rows)), whole, seed=5, batch=2)
        assert {name: journal[name] for name in journal} == {name: whole[name] for name in whole}


def test_pairs_hold_the_best_and_the_worst_that_are_apart(tmp_path: Path) -> None:
    rows = _rows(3)
    with Journal(tmp_path / "j.jsonl") as journal:
        roll_out(rows, Writes(), Scorer(WordingsJudge(rows)), journal, seed=0, batch=3)
        found = pairs(rows, journal)
        assert [(p.best.text, p.worst.text) for p in found] == [("Good.", "Bad.")] * 3
        assert pairs(rows, journal, gap=2.5) == []


def test_the_budget_is_arithmetic_on_the_runs_own_steps() -> None:
    run, on = budget.runs()[0], budget.machine()
    by_stage = {cost.stage: cost for cost in budget.costs(run, on)}
    grpo = run.options("grpo")
    answers = grpo["max_steps"] * on.trains * grpo["per_device_train_batch_size"] * grpo["gradient_accumulation_steps"]
    learnt = answers * (run.prompt_tokens + run.answer_tokens)
    assert by_stage["GRPO learns"].tokens == learnt
    # Forward 2, backward 4, activations again 2, and once more 2 since vLLM wrote the answers.
    assert by_stage["GRPO learns"].hours == pytest.approx(learnt * 10 * run.active / (989e12 * 0.35) / 3600)
    assert by_stage["GRPO learns"].wall == pytest.approx(by_stage["GRPO learns"].hours / 4)
    read = answers / grpo["num_generations"] * run.prompt_tokens
    assert by_stage["GRPO writes"].tokens == answers * run.answer_tokens + read
    assert by_stage["synthesis: samples"].tokens > run.queries * 4 * run.answer_tokens
    assert by_stage["synthesis: pairs"].tokens == run.queries * (200 + 3 * (80 + 8))
    assert by_stage["synthesis: verdicts"].tokens == run.queries * 4 * (1500 + 60 * 7)


def test_adapters_spare_the_gradients_of_what_stays() -> None:
    whole, adapters = budget.runs()
    assert [whole.learning(kind) for kind in ("sft", "grpo")] == [8, 10]
    assert [adapters.learning(kind) for kind in ("sft", "grpo")] == [6, 8]


def test_the_pages_budget_is_what_its_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # it was imported above
        runpy.run_module("training.budget", run_name="__main__")
    printed = capsys.readouterr().out
    assert printed.count("\n") > 20
    assert f"\n{printed}\n" in (RUNS / "README.md").read_text()


def test_a_machines_gpus_are_all_given_away_and_the_page_says_to_whom() -> None:
    on = budget.machine()
    assert (on.gpus, on.trains) == (8, 4)
    page = (RUNS / "README.md").read_text()
    places = [f"| {first} to {last} |" for first, last in ((0, 3), (4, 5), (6, 7))]
    assert all(place in page for place in places)
