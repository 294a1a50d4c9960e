"""A run's folder: whose it is, how far each stage came, and what it made; all of it whole or not at all."""

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any, Final

import torch
from accelerate.utils import broadcast_object_list
from peft import get_peft_model
from transformers import AutoModelForCausalLM, PreTrainedTokenizerBase, Trainer

from training.align.config import AlignConfig, BadRun
from training.align.ranks import ranks
from training.align.rows import ROWS
from training.claim import OtherWork, claim
from training.export import provenance

DONE: Final = "done.json"
_FIGURES: Final = "figures.json"


def claimed(config: AlignConfig) -> Path:
    """The run's folder, with what it is made from: the TOML, the seed, the first revision, digests of base and data.

    Written at the first start. A later one is of the same, or it would end with weights that nothing describes.

    Raises:
        BadRun: the folder is another TOML's, or the base or the data changed since.

    """
    folder = config.folder
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"toml_sha256": config.digest, "seed": config.seed, "data": _data(config)}
    base = provenance.weights(Path(config.base))
    try:
        claim(folder / "run.json", {**facts, "base": base}, first={"git_revision": provenance.revision()})
    except OtherWork as error:
        raise BadRun(str(error)) from error
    (folder / "run.toml").write_text(config.text)  # its gate may be another each time
    return folder


def _data(config: AlignConfig) -> dict[str, Any]:
    """Files by their digests; the generator's sources only where it makes something of this run."""
    files = [Path(config.data.rows)] if config.data.rows else []
    if config.synthesis:
        files.append(config.synthesised / ROWS)
    told: dict[str, Any] = {str(path): provenance.file_sha256(path) for path in files}
    generates = config.data.dialogues or any(stage.kind == "dialogues" for stage in config.stages)
    return {**told, "dialogues": config.data.dialogues, **(provenance.sources() if generates else {})}


def last_state(folder: Path) -> str | None:
    """The newest whole state of a stage; one that a kill cut short is removed.

    Of several processes the main one looks and tells the others: else one might remove what another has just seen, and
    they might go on from different steps.
    """
    found = [_last_state(folder, ranks().num_processes) if ranks().is_main_process else None]
    told: str | None = broadcast_object_list(found)[0]
    return told


def _last_state(folder: Path, processes: int) -> str | None:
    whole: list[Path] = []
    for state in sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]), reverse=True):
        if _is_whole(state / "trainer_state.json"):  # the last file that the main process writes
            whole.append(state)
        else:
            shutil.rmtree(state)
    best = next((state for state in whole if _is_everybodys(state, processes)), next(iter(whole), None))
    return str(best) if best else None


def _is_everybodys(state: Path, processes: int) -> bool:
    """Whether each process left its random numbers: one may be killed before, when the main one has written all of its.

    Where no state is (it was of fewer processes, say) the newest has to do.
    """
    return processes == 1 or all(zipfile.is_zipfile(state / f"rng_state_{at}.pth") for at in range(processes))


def _is_whole(path: Path) -> bool:
    try:
        json.loads(path.read_text())
    except (OSError, ValueError):
        return False
    return True


def publish(trainer: Trainer, tokenizer: PreTrainedTokenizerBase, base: Path, made: Path) -> None:
    """Weights as safetensors and nothing pickled; generation with its cache on; whole or not at all.

    Every process takes part where there are several: each may hold a part of the weights. The main one writes.
    """
    model = gathered(trainer, base)
    if model is None:
        return
    partial = made.with_name("checkpoint.partial")
    shutil.rmtree(partial, ignore_errors=True)
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


def gathered(trainer: Trainer, base: Path) -> Any:
    """The whole model, on the main process; None on the others.

    Of several processes a sharded model is no module that can be saved: its weights are gathered, and put into the
    base read anew, with its adapters where it has some.
    """
    accelerator = trainer.accelerator
    model = accelerator.unwrap_model(trainer.model)
    if accelerator.num_processes == 1:
        return model
    state = accelerator.get_state_dict(trainer.model)
    if not accelerator.is_main_process:
        return None
    whole: Any = AutoModelForCausalLM.from_pretrained(base, dtype=next(iter(state.values())).dtype)
    if hasattr(model, "peft_config"):
        whole = get_peft_model(whole, model.peft_config["default"])
    whole.load_state_dict(state)
    return whole


def _loss(trainer: Trainer) -> str:
    """As TRL names it; GSPO is GRPO's loss on whole sequences."""
    loss = trainer.args.loss_type
    name = "+".join(loss) if isinstance(loss, list) else str(loss)
    return f"{name}, by sequence" if getattr(trainer.args, "importance_sampling_level", "") == "sequence" else name


def note(folder: Path, figures: dict[str, Any]) -> None:
    """Adds figures to the run's `figures.json`, which a kill leaves whole."""
    path = folder / _FIGURES
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps({**noted(folder), **figures}, indent=2) + "\n")
    partial.replace(path)


def noted(folder: Path) -> dict[str, Any]:
    """The run's figures so far."""
    path = folder / _FIGURES
    return dict(json.loads(path.read_text())) if path.exists() else {}
