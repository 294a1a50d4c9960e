"""From the gate's report to the answer: a checkpoint is published, a serving gateway follows, no request is dropped."""

import asyncio
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from loadtests.processes import gateway
from service.engines.published import opened, pointed
from tests.shipped_store import needs_encoder
from training import gguf, publishing
from training.export import manifest
from training.gate import comparison
from training.gate.decision import Answered, Figures, Guard
from training.gate.report import BadReport, Report

CHECKPOINT = Path("training/checkpoints/clinalign-demo")


def _figures(name: str, *, gain: float = 0.0) -> Figures:
    answers = {f"q{at}": Answered(at % 7 / 10 + gain, 50 + at % 5) for at in range(60)}
    return Figures(name, answers, {guard: {"r0": True, "r1": False} for guard in Guard})


def _report(candidate: Path, incumbent: str, *, gain: float = 0.1) -> Report:
    facts = {"judge": "another"}
    return Report(_figures(manifest.digest(candidate), gain=gain), _figures(incumbent), facts)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the tests copy: a shelf with the shipped checkpoint as the current one, and another checkpoint.

    That has the same weights and another card, which is enough to make it another.
    """
    folder = tmp_path_factory.mktemp("made")
    publishing.publish(CHECKPOINT, folder / "shelf", report=None)
    shutil.copytree(CHECKPOINT, folder / "candidate")
    (folder / "candidate/README.md").write_text("a candidate")
    manifest.seal(folder / "candidate", manifest.read(CHECKPOINT))
    return folder


@pytest.fixture
def shelf(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made / "shelf", tmp_path / "shelf", symlinks=True))


@pytest.fixture
def candidate(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made / "candidate", tmp_path / "candidate"))


def _gated(tmp_path: Path, report: Report) -> Path:
    comparison.write(report, tmp_path / "gate")
    return tmp_path / "gate"


def test_what_is_published_is_what_the_gateway_opens(shelf: Path) -> None:
    name = publishing.current(shelf)
    assert name == pointed(shelf)
    found = opened(shelf, name)
    assert found.digest == name.replace("-", ":", 1)
    assert manifest.mismatches(shelf / name) == ()
    assert manifest.read(shelf / name)["published_from"] == manifest.digest(CHECKPOINT)


def test_the_report_travels_with_the_checkpoint_and_says_the_same_again(
    shelf: Path, candidate: Path, tmp_path: Path
) -> None:
    report = _report(candidate, publishing.current(shelf) or "")
    name = publishing.publish(candidate, shelf, report=_gated(tmp_path, report))
    assert publishing.current(shelf) == name
    again = Report.read(shelf / name / "gate.json")
    assert again.decision == report.decision
    assert {"gate.json", "gate.html", "model.gguf"} <= manifest.read(shelf / name)["files"].keys()
    assert "may be published" in (shelf / name / "gate.html").read_text()
    card = (shelf / name / "README.md").read_text()
    assert card.startswith("a candidate\n## Gate\n")
    assert f"Held against `{report.incumbent.checkpoint}`" in card
    assert "| edits | holds | 0.500 | 0.500 | +0.000 to +0.000 | 2 |" in card


def test_a_later_gate_takes_the_earlier_ones_place_in_the_card(shelf: Path, candidate: Path, tmp_path: Path) -> None:
    name = publishing.publish(
        candidate, shelf, report=_gated(tmp_path, _report(candidate, publishing.current(shelf) or ""))
    )
    once_more = tmp_path / "again"
    shutil.copytree(shelf / name, once_more)
    for path in once_more.iterdir():
        path.chmod(0o644)
    (once_more / "config.json").write_text((once_more / "config.json").read_text() + "\n")
    manifest.seal(once_more, manifest.read(once_more))
    again = publishing.publish(once_more, shelf, report=_gated(tmp_path, _report(once_more, name)))
    card = (shelf / again / "README.md").read_text()
    assert card.count("## Gate") == 1
    assert f"Held against `{name}`" in card


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("none", "by a report of the gate alone"),
        ("no better", "did not let it through: rubric"),
        ("claimed", "did not let it through: rubric"),
        ("of another", "the report is of sha256-0"),
        ("against another", "but sha256-"),
        ("changed", "not what its manifest says: README.md"),
    ],
)
def test_nothing_else_takes_the_incumbents_place(
    shelf: Path, candidate: Path, tmp_path: Path, case: str, said: str
) -> None:
    before = publishing.current(shelf) or ""
    good = _report(candidate, before)
    match case:
        case "none":
            folder = None
        case "no better":
            folder = _gated(tmp_path, replace(good, candidate=_figures(good.candidate.checkpoint)))
        case "claimed":
            folder = _gated(tmp_path, replace(good, candidate=_figures(good.candidate.checkpoint)))
            told = json.loads((folder / "gate.json").read_text())
            (folder / "gate.json").write_text(json.dumps({**told, "publish": True, "checks": []}))
        case "of another":
            folder = _gated(tmp_path, replace(good, candidate=_figures("sha256-0", gain=0.1)))
        case "against another":
            folder = _gated(tmp_path, replace(good, incumbent=_figures("sha256-0")))
        case _:
            folder = _gated(tmp_path, good)
            (candidate / "README.md").write_text("another")
    with pytest.raises(publishing.NotPublished, match=said):
        publishing.publish(candidate, shelf, report=folder)
    assert publishing.current(shelf) == before
    assert [path.name for path in shelf.iterdir() if path.name.startswith("sha256-")] == [before]


def test_an_earlier_checkpoint_is_current_again_by_its_name(shelf: Path, candidate: Path, tmp_path: Path) -> None:
    before = publishing.current(shelf) or ""
    after = publishing.publish(candidate, shelf, report=_gated(tmp_path, _report(candidate, before)))
    publishing.point(shelf, before)
    assert publishing.current(shelf) == before
    (shelf / after / "README.md").chmod(0o644)
    (shelf / after / "README.md").write_text("changed")
    with pytest.raises(publishing.NotPublished, match=r"changed after it was published: README\.md"):
        publishing.point(shelf, after)
    with pytest.raises(publishing.NotPublished, match="nothing was published"):
        publishing.point(shelf, "sha256-1")
    assert publishing.current(shelf) == before


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"candidate": 1, "incumbent": 2, "rows": 3, "facts": {}}'])
def test_a_file_that_is_no_report_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "gate.json").write_text(text)
    with pytest.raises(BadReport, match=r"gate\.json"):
        Report.read(tmp_path / "gate.json")


async def _chat(address: str) -> dict[str, Any]:
    body = {
        "messages": [{"role": "user", "content": "Can I take ibuprofen for a sore throat?"}],
        "options": {"max_revisions": 0, "max_principles": 3, "max_criteria": 3},
    }
    async with aiohttp.ClientSession() as client, client.post(f"{address}/chat", json=body) as reply:
        assert reply.status == 200, await reply.text()
        return dict(await reply.json())


@needs_encoder
@pytest.mark.timeout(300)  # it waits for a model on a machine that may be busy
async def test_a_gateway_under_load_follows_what_is_published_and_drops_no_request(
    shelf: Path, candidate: Path, tmp_path: Path
) -> None:
    before = publishing.current(shelf) or ""
    folder = _gated(tmp_path, _report(candidate, before))
    seen: list[str] = []
    async with gateway(environment={"CLINALIGN_CHECKPOINTS_DIR": str(shelf)}) as running:

        async def visitor() -> None:
            while len(set(seen)) < 2:
                reply = await _chat(running.address)
                assert reply["outcome_reason"] in {None, "criteria_unmet"}
                assert reply["verdicts"]
                seen.append(reply["provenance"]["checkpoint_digest"])

        async with asyncio.timeout(250), asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(visitor())
            while not seen:
                await asyncio.sleep(0.05)
            after = await asyncio.to_thread(publishing.publish, candidate, shelf, report=folder)
    assert set(seen) == {before.replace("-", ":", 1), after.replace("-", ":", 1)}


def test_a_checkpoint_that_is_kept_by_itself_tells_what_the_gate_found(candidate: Path) -> None:
    figures = json.loads((CHECKPOINT / "evaluation.json").read_text())
    for part in ("gate.json", "gate.html"):
        (candidate / part).unlink(missing_ok=True)
    gated = manifest.digest(candidate)
    comparison.write(_report(candidate, "sha256-before"), candidate)
    for _ in range(2):  # the second time under another digest, since the card is part of it
        publishing.describe(candidate, figures)
        card = (candidate / "README.md").read_text()
        assert (card.count("\n## Gate\n"), "Held against `sha256-before`" in card) == (1, True)
        assert "## Figures" in card
        assert manifest.mismatches(candidate) == ()
        assert manifest.read(candidate)["gated_as"] == gated != manifest.digest(candidate)


def test_no_card_tells_of_another_checkpoints_gate(candidate: Path) -> None:
    comparison.write(_report(CHECKPOINT, "sha256-before"), candidate)
    before = (candidate / "README.md").read_text()
    with pytest.raises(publishing.NotPublished, match=r"gate\.json is of sha256-"):
        publishing.describe(candidate, {})
    assert (candidate / "README.md").read_text() == before


def test_a_card_that_was_written_anew_does_not_lose_its_gate(candidate: Path, tmp_path: Path) -> None:
    figures = json.loads((CHECKPOINT / "evaluation.json").read_text())
    report = _report(candidate, "sha256-before")
    weights = {"candidate_weights": gguf.weights(candidate)}
    comparison.write(replace(report, facts={**report.facts, **weights}), candidate)
    publishing.describe(candidate, figures)
    name = publishing.publish(candidate, tmp_path / "new-shelf", report=candidate)
    assert publishing.current(tmp_path / "new-shelf") == name
    comparison.write(replace(report, facts={**report.facts, "candidate_weights": "of others"}), candidate)
    manifest.seal(candidate, manifest.read(candidate))
    with pytest.raises(publishing.NotPublished, match="the report is of sha256-"):
        publishing.publish(candidate, tmp_path / "another-shelf", report=candidate)
