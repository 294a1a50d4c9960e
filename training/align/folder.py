"""A run's folder: whose it is, how far each stage came, and what it made; all of it whole or not at all."""

import json
import shutil
from pathlib import Path
from typing import Any, Final

import torch
from transformers import PreTrainedTokenizerBase, Trainer

from training.align.config import AlignConfig, BadRun
from training.align.rows import ROWS
from training.export import provenance

DONE: Final = "done.json"


def claimed(config: AlignConfig) -> Path:
    """The run's folder, with what it is made from: the TOML, the seed, the revision, digests of the data."""
    folder = config.folder
    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / "run.json"
    if manifest.exists() and json.loads(manifest.read_text())["toml_sha256"] != config.digest:
        raise BadRun(f"{folder} holds a run of another TOML: give this one another name, or remove the folder")
    (folder / "run.toml").write_text(config.text)
    files = [Path(config.data.rows)] if config.data.rows else []
    if config.synthesis:
        files.append(config.synthesised / ROWS)
    data: dict[str, Any] = {str(path): provenance.file_sha256(path) for path in files}
    data |= {"dialogues": config.data.dialogues, **provenance.sources()}
    facts = {"toml_sha256": config.digest, "seed": config.seed, "git_revision": provenance.revision(), "data": data}
    manifest.write_text(json.dumps({**facts, "base": provenance.weights(Path(config.base))}, indent=2) + "\n")
    return folder


def last_state(folder: Path) -> str | None:
    """The newest whole state of a stage; one that a kill cut short is removed."""
    states = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]), reverse=True)
    for state in states:
        if _is_whole(state / "trainer_state.json"):  # the last file that is written
            return str(state)
        shutil.rmtree(state)
    return None


def _is_whole(path: Path) -> bool:
    try:
        json.loads(path.read_text())
    except (OSError, ValueError):
        return False
    return True


def publish(trainer: Trainer, tokenizer: PreTrainedTokenizerBase, base: Path, made: Path) -> None:
    """Weights as safetensors and nothing pickled; generation with its cache on; whole or not at all."""
    partial = made.with_name("checkpoint.partial")
    shutil.rmtree(partial, ignore_errors=True)
    model = trainer.accelerator.unwrap_model(trainer.model)
    if hasattr(model, "merge_and_unload"):
        model = model.merge_and_unload()
    model.config.use_cache = True
    model.to(torch.bfloat16).save_pretrained(partial)
    tokenizer.save_pretrained(partial)
    for name in ("chat_template.jinja", "generation_config.json"):
        if (base / name).exists():
            shutil.copy(base / name, partial / name)
    (partial / "training_args.bin").unlink(missing_ok=True)
    log = [row for row in trainer.state.log_history if "loss" in row or "reward" in row]
    (partial / "metrics.json").write_text(json.dumps(log, indent=1) + "\n")
    (partial / DONE).write_text(json.dumps({"steps": trainer.state.global_step, "loss": _loss(trainer)}) + "\n")
    partial.replace(made)


def _loss(trainer: Trainer) -> str:
    """As TRL names it; GSPO is GRPO's loss on whole sequences."""
    loss = trainer.args.loss_type
    name = "+".join(loss) if isinstance(loss, list) else str(loss)
    return f"{name}, by sequence" if getattr(trainer.args, "importance_sampling_level", "") == "sequence" else name


def note(folder: Path, figures: dict[str, Any]) -> None:
    """Adds figures to the run's `figures.json`."""
    path = folder / "figures.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**known, **figures}, indent=2) + "\n")
