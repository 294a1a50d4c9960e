"""The commands from preferences to proposals, as a person gives them, with a model that drafts by URL."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer import Typer
from typer.testing import CliRunner, Result

from tests.rubric_model import served
from tests.shipped_store import needs_encoder
from training.preferences.cli import commands, distil

ITEMS = [
    {"criterion": "Tells the person to rest.", "polarity": "must", "weight": 5},
    {"criterion": "Names a wrong dose.", "polarity": "must_not", "weight": 9},
]


def _said(*words: str) -> Result:
    return CliRunner().invoke(commands, [*words, "--json"])


def _told(*words: str) -> dict[str, Any]:
    done = _said(*words)
    assert done.exit_code == 0, done.output
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.fixture
def preferences(tmp_path: Path) -> Path:
    rows = [{"conversation": f"Q{at}?", "preferred": "Rest.", "other": "Run.", "author": "Dr A"} for at in range(3)]
    path = tmp_path / "preferences.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


async def test_drafts_are_reviewed_and_readers_held_against_each_other(tmp_path: Path, preferences: Path) -> None:
    folder, page = ["--folder", str(tmp_path / "rubrics")], tmp_path / "review.yaml"
    async with served() as server:
        server.only = json.dumps({"items": ITEMS})
        words = ["draft", str(preferences), "--url", server.url, "--out", str(page), *folder]
        assert await asyncio.to_thread(_told, *words) == {"page": str(page), "drafted": 3, "waiting": 0}
        assert (await asyncio.to_thread(_told, *words))["drafted"] == 3
        assert server.asked == 3, "a draft that is there is not asked for again"
    examples = yaml.safe_load(page.read_text())
    assert {example["preferred_by"] for example in examples} == {"Dr A"}
    first = _told("accept", str(page), "--author", "Dr B", *folder)
    assert (first["rubrics"], first["kept"], first["unreviewed"]) == (3, 6, 0)
    page.write_text(yaml.safe_dump([{**examples[0], "keep": "no"}, {**examples[1], "items": ITEMS[:1]}]))
    second = _told("accept", str(page), "--author", "Dr C", *folder)
    assert (second["rubrics"], second["set_aside"], second["unreviewed"]) == (1, 1, 1)
    found = _told("agreement", *folder)
    assert (found["examples"], found["items"]) == (2, 4)


async def test_a_page_that_somebody_worked_on_is_not_written_over(tmp_path: Path, preferences: Path) -> None:
    folder, page = tmp_path / "rubrics", tmp_path / "review.yaml"
    async with served() as server:
        server.only = json.dumps({"items": ITEMS})
        words = ["draft", str(preferences), "--url", server.url, "--folder", str(folder)]
        await asyncio.to_thread(_told, *words, "--out", str(page))
        worked_on = page.read_text().replace("Names a wrong dose.", "Names an antidote.")
        page.write_text(worked_on)
        done = await asyncio.to_thread(_said, *words, "--out", str(page))
        assert (done.exit_code, "review.yaml: holds what a person wrote" in done.stderr) == (1, True)
        assert (page.read_text(), server.asked) == (worked_on, 3)
        assert (await asyncio.to_thread(_told, *words, "--out", str(tmp_path / "other.yaml")))["drafted"] == 3


async def test_a_server_that_refuses_is_told_with_a_count_and_without_a_patients_words(tmp_path: Path) -> None:
    rows = [{"conversation": f"Secret {at}?", "preferred": "Secret a.", "other": "Secret b."} for at in range(40)]
    preferences, page = tmp_path / "preferences.jsonl", tmp_path / "review.yaml"
    preferences.write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["draft", str(preferences), "--out", str(page), "--folder", str(tmp_path / "rubrics"), "--concurrency", "4"]
    async with served() as server:
        server.refuse_from = 1
        done = await asyncio.to_thread(_said, *words, "--url", server.url)
        assert server.asked < 12, "it stops where nothing answers"
        said = f"40 of 40 examples have no draft; the first reason: {server.url}: status 403; stopped after"
        assert (done.exit_code, json.loads(done.stdout)["drafted"], page.exists()) == (1, 0, False)
        assert said in " ".join(done.stderr.split())
        assert "Secret" not in done.output
        server.refuse_from, server.asked, server.only = 40, 0, json.dumps({"items": ITEMS})
        done = await asyncio.to_thread(_said, *words, "--url", server.url, "--concurrency", "1")
        assert (done.exit_code, len(yaml.safe_load(page.read_text()))) == (1, 39)
        assert "1 of 40 examples have no draft" in done.stderr


async def test_no_page_stands_whose_questions_are_not_kept(tmp_path: Path, preferences: Path) -> None:
    folder = tmp_path / "rubrics"
    async with served() as server:
        server.only = json.dumps({"items": ITEMS})
        words = ["draft", str(preferences), "--url", server.url, "--folder", str(folder)]
        done = await asyncio.to_thread(_said, *words, "--out", str(tmp_path / "nowhere" / "review.yaml"))
        assert (done.exit_code, "No such file or directory" in done.stderr) == (1, True)
        assert len((folder / "examples.jsonl").read_text().splitlines()) == 3
        page = tmp_path / "review.yaml"
        await asyncio.to_thread(_told, *words, "--out", str(page))
    _told("accept", str(page), "--author", "Dr B", "--folder", str(folder))
    (folder / "examples.jsonl").unlink()
    done = _distilled(folder, tmp_path / "proposals.yaml")
    assert (done.exit_code, "lacks the question of example" in done.stderr) == (1, True)


def _distilled(folder: Path, out: Path) -> Result:
    app = Typer()
    app.command()(distil)
    return CliRunner().invoke(app, ["--folder", str(folder), "--out", str(out), "--json"])


@needs_encoder
async def test_accepted_rubrics_become_proposals_and_show_how_far_it_is(tmp_path: Path, preferences: Path) -> None:
    folder, page, out = tmp_path / "rubrics", tmp_path / "review.csv", tmp_path / "proposals.yaml"
    async with served() as server:
        server.only = json.dumps({"items": ITEMS})
        words = ["draft", str(preferences), "--url", server.url, "--out", str(page), "--folder", str(folder)]
        await asyncio.to_thread(_told, *words)
    _told("accept", str(page), "--author", "Dr B", "--folder", str(folder))
    done = _distilled(folder, out)
    assert (done.exit_code, json.loads(done.stdout)["demands"]) == (0, 6), done.output
    assert [row["behind"]["examples"] for row in yaml.safe_load(out.read_text())] == [3, 3]
    assert "scenarios read" in done.stderr
    assert "criteria encoded" in done.stderr
    assert _distilled(folder, out).exit_code == 0, "as it was written, it may be written again"
    out.write_text(out.read_text().replace("approve: false", "approve: yes"))
    done = _distilled(folder, out)
    assert (done.exit_code, "proposals.yaml: holds what a person wrote" in done.stderr) == (1, True)


def test_what_a_person_can_mend_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"conversation": "Q?"}\n')
    (tmp_path / "page.yaml").write_text("- id: e9\n  items: []\n")
    folder = ["--folder", str(tmp_path / "rubrics")]
    for words, said in (
        (["draft", str(tmp_path / "bad.jsonl")], "bad.jsonl:1: field 'preferred' is missing"),
        (["accept", str(tmp_path / "page.yaml"), "--author", "Dr B"], "example e9 was never drafted"),
    ):
        done = _said(*words, *folder)
        assert (done.exit_code, isinstance(done.exception, SystemExit)) == (1, True)
        assert done.output.strip() == f"clinalign: {said}"
