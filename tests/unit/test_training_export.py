"""What a run leaves: a checkpoint whose card says how it was aligned, from the run's own records."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from training import publishing
from training.align.config import AlignConfig, Stage, read
from training.align.exported import export
from training.export import manifest, model_card

CHECKPOINT = Path("training/checkpoints/clinalign-demo")
TOML = f"""
[run]
name = "tiny"
seed = 7
base = "{CHECKPOINT.absolute()}"
stages = ["dpo", "grpo"]
[grpo]
learning_rate = 1e-5
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AlignConfig:
    """A run's folder as its stages leave it; the weights are the base's own."""
    (tmp_path / "run.toml").write_text(TOML)
    config = read(tmp_path / "run.toml")
    monkeypatch.chdir(tmp_path)
    config.folder.mkdir(parents=True)
    _write(config.folder / "run.json", {"base": "ab" * 32, "git_revision": "c0ffee"})
    told = {"judge": "wordings", "answers": 1200, "unjudged": 3}
    _write(config.folder / "figures.json", {"reward_dpo": told, "reward_grpo": {**told, "answers": 64}})
    for kind, loss in (("dpo", "sigmoid"), ("grpo", "dapo")):
        made = config.folder / kind / "checkpoint"
        made.mkdir(parents=True)
        _write(made / "done.json", {"steps": 20, "loss": loss})
        log: list[dict[str, float | None]] = [
            {"reward": at / 10} if kind == "grpo" else {"loss": 1.0} for at in range(20)
        ]
        log.insert(0, {"reward": None})  # as TRL tells of a step whose samples the judge failed of
        _write(made / "metrics.json", log)
    for name in ("model.safetensors", "config.json"):
        shutil.copy(Path(config.base) / name, made / name)
    return config


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value))


def _exported(run: AlignConfig) -> tuple[Path, str]:
    out = export(run, run.folder / "grpo/checkpoint")
    return out, (out / "README.md").read_text()


def test_the_card_of_an_export_says_which_stages_by_which_reward_made_it(run: AlignConfig) -> None:
    out, card = _exported(run)
    assert manifest.mismatches(out) == ()
    assert json.loads((out / "config.json").read_text())["use_cache"] is True
    assert {path.suffix for path in out.iterdir()} == {".json", ".jinja", ".md", ".safetensors"}, "nothing is pickled"
    assert "The run `tiny` (seed 7) went on from the weights abababababab... by these stages:\n" in card
    assert "| DPO, the best answer against the worst | sigmoid | 20 | TRL's own |" in card
    assert "| GRPO by rubric reward | dapo | 20 | 1e-05 |" in card
    assert (
        "- DPO, the best answer against the worst: 1,200 answers, 3 of them unjudged and left out; judge: wordings."
        in card
    )
    assert "Mean reward of the first tenth of its steps 0.050, of the last 1.850." in card
    assert "Not measured yet" in card
    assert "It is not for care" in card
    assert "clinalign train run training/runs/tiny.toml" in card


def test_figures_that_are_measured_later_leave_the_section_on_alignment(run: AlignConfig) -> None:
    out, _ = _exported(run)
    publishing.describe(out, json.loads((Path(run.base) / "evaluation.json").read_text()))
    card = (out / "README.md").read_text()
    assert "## Alignment" in card
    assert "Not measured yet" not in card
    assert "| Edits can be read and applied |" in card


@pytest.mark.parametrize("start", ["build/training/edition", ""], ids=["from a checkpoint", "from nothing"])
def test_earlier_editions_are_told_of_weights_that_started_from_some(start: str) -> None:
    facts = manifest.read(CHECKPOINT)
    del facts["editions_before"]  # as manifests were up to the third edition
    facts["run"]["run"]["start"] = start
    card = model_card.card(facts, None)
    assert (f"| Before it | {manifest.BEFORE_THE_THIRD} |\n| Licence |" in card) is bool(start)
    assert ("| Before it |" in card) is bool(start)
    assert "\n| Licence |" in card


def test_a_result_of_a_supervised_stage_names_every_edition_before_it(run: AlignConfig) -> None:
    facts = manifest.read(Path(run.base))
    third = facts["editions_before"][-1]
    told = (
        f"{manifest.BEFORE_THE_THIRD}; `{third['checkpoint'][:19]}...`: {third['tokens']:,} tokens; "
        f"`{manifest.digest(Path(run.base))[:19]}...`: {facts['tokens']:,} tokens"
    )
    out, card = _supervised(run, run.base, "first")
    assert f"\n| Before it | {told} |\n" in card
    assert manifest.read(out)["run"]["run"]["start"] == run.base
    _, card = _supervised(run, str(out), "second")
    assert f"\n| Before it | {told}; `{manifest.digest(out)[:19]}...`: 1,234 tokens |\n" in card


def _supervised(run: AlignConfig, base: str, name: str) -> tuple[Path, str]:
    """An export of a run that went on from a base by a stage `dialogues`."""
    stages = (Stage("dialogues", {"steps": 30}), *run.stages)
    config = replace(run, name=name, base=base, stages=stages)
    shutil.copytree(run.folder, config.folder)
    made = config.folder / "dialogues/checkpoint"
    made.mkdir(parents=True)
    _write(made / "done.json", {"steps": 25, "loss": "cross-entropy", "tokens": 1234, "score": 0.9})
    out = export(config, config.folder / "grpo/checkpoint").absolute()
    return out, (out / "README.md").read_text()


def test_a_result_of_another_form_has_a_card_and_a_manifest_where_it_is(run: AlignConfig, tmp_path: Path) -> None:
    big = tmp_path / "Big-4B"
    shutil.copytree(run.base, big, ignore=shutil.ignore_patterns("manifest.json"))
    config, made = replace(run, base=str(big)), run.folder / "grpo/checkpoint"
    assert export(config, made) == made
    assert manifest.mismatches(made) == ()
    facts, card = manifest.read(made), (made / "README.md").read_text()
    assert facts["files"].keys() >= {"model.safetensors", "config.json", "README.md"}
    assert "gguf_sha256" not in facts
    assert not manifest.has_small_form(made), "a run from it is not to take it for ours"
    assert "Big-4B (weights abababababab...)" in card
    assert "| GRPO by rubric reward | dapo | 20 | 1e-05 |" in card
    assert "It is not for care" in card
    assert "publish" not in card
    assert str(tmp_path) not in card
    sealed = (made / "manifest.json").stat().st_mtime_ns
    assert export(config, made) == made
    assert (made / "manifest.json").stat().st_mtime_ns == sealed, "weights of 60 GB are not read again at each start"


def test_a_run_that_was_killed_before_it_noted_a_reward_is_exported_without_it(run: AlignConfig) -> None:
    (run.folder / "figures.json").unlink()
    _, card = _exported(run)
    assert "| GRPO by rubric reward | dapo | 20 | 1e-05 |" in card
    assert "judge: wordings" not in card
