"""Alignment's plain parts: the TOML is read strictly, rows are held out by id, rollouts resume, pairs are apart."""

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.conversation import Message, Role
from training import budget
from training.align import whole
from training.align.config import BadRun, read
from training.align.needs import need_for_training
from training.align.rollouts import pairs, roll_out
from training.align.row import Row
from training.align.rows import WordingsJudge, load
from training.journal import Journal
from training.reward.rubric import Item, Rubric
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
        (GOOD + "[data]\nrow = 'x'\n", r"\[data\] row is not known"),
        (GOOD + "[rollouts]\nsamples = 'many'\n", r"\[rollouts\] samples should be int"),
        (GOOD + "[rollouts]\nsamples = true\n", r"\[rollouts\] samples should be int"),
    ],
)
def test_a_run_with_one_thing_wrong_says_which(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "run.toml").write_text(text)
    with pytest.raises(BadRun, match=said):
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
            Path(file).write_text(FULL)
    with pytest.raises(BadRun, match=said):
        whole.run(read(Path("run.toml")), Path("run.toml"))


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
            assert f"tar -x --strip-components=3 -C {folder}" in config.text


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


def test_pairs_hold_the_best_and_the_worst_that_are_apart(tmp_path: Path) -> None:
    rows = _rows(3)
    with Journal(tmp_path / "j.jsonl") as journal:
        roll_out(rows, Writes(), Scorer(WordingsJudge(rows)), journal, seed=0, batch=3)
        found = pairs(rows, journal)
        assert [(p.best.text, p.worst.text) for p in found] == [("Good.", "Bad.")] * 3
        assert pairs(rows, journal, gap=2.5) == []


def test_the_budget_is_arithmetic_on_stated_sizes() -> None:
    run = budget.RUNS[0]
    by_stage = {cost.stage: cost for cost in budget.costs(run)}
    learnt = run.steps * run.prompts_a_step * run.generations * (run.prompt_tokens + run.answer_tokens)
    assert by_stage["GRPO learns"].tokens == learnt
    assert by_stage["GRPO learns"].hours == pytest.approx(learnt * 6 * run.active / (989e12 * 0.35) / 3600)
    assert budget.table() in Path("training/runs/README.md").read_text()
