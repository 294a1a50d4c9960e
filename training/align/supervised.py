"""The stage `dialogues`: a small checkpoint of ours and the stage's options come in; one that learnt more goes out.

It is what SFT is to a model that can already answer: each token of drafts, verdicts and edits of the dialogue generator
is learnt, many labels in one tree.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from training import gguf
from training.align.config import AlignConfig, BadRun, Stage
from training.align.folder import DONE
from training.supervised import log
from training.supervised.config import RunConfig, Shape
from training.supervised.learner import BEST
from training.supervised.run import run

WEIGHTS = "model.safetensors"
_METRICS = "metrics.json"


def learn(config: AlignConfig, stage: Stage, base: Path, made: Path) -> None:
    """From the weights in `base` to those in `made`, with all else as it is in `base`.

    Raises:
        BadRun: an option is missing or not known.

    """
    settings = run_config(config, stage, base)
    run(settings)
    partial = made.with_name("checkpoint.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(base, partial, ignore=shutil.ignore_patterns("README.md", "evaluation.json", "manifest.json"))
    best = torch.load(settings.folder / BEST, weights_only=True, map_location="cpu")
    tied = {name: value.bfloat16().contiguous() for name, value in best["model"].items() if name != "lm_head.weight"}
    save_file(tied, partial / WEIGHTS, metadata={"format": "pt"})
    written = settings.folder / log.LOG
    (partial / _METRICS).write_text(json.dumps(log.read(written), indent=1) + "\n", encoding="utf-8")
    done = {
        "steps": best["step"],
        "loss": "cross-entropy of whole dialogues",
        "tokens": log.tokens(written, steps=best["step"]),
        "score": best["score"],
    }
    (partial / DONE).write_text(json.dumps(done) + "\n", encoding="utf-8")
    partial.replace(made)


def run_config(config: AlignConfig, stage: Stage, base: Path) -> RunConfig:
    """The stage as a supervised run: its shape is the base's.

    Raises:
        BadRun: an option is missing or not known.

    """
    known: dict[str, Any] = json.loads((base / "config.json").read_text(encoding="utf-8"))
    shape = Shape(
        vocabulary=known["vocab_size"],
        hidden=known["hidden_size"],
        layers=known["num_hidden_layers"],
        heads=known["num_attention_heads"],
        kv_heads=known["num_key_value_heads"],
        head_dim=known["head_dim"],
        feed_forward=known["intermediate_size"],
        context=known["max_position_embeddings"],
    )
    try:
        return RunConfig(
            name=f"{config.name}/{stage.kind}",
            seed=config.seed,
            start=str(base),
            start_sha256=gguf.sha256(base / WEIGHTS),
            shape=shape,
            tokenizer_dialogues=0,  # the base's tokenizer is kept
            raw=config.raw,
            **stage.options,
        )
    except TypeError as error:
        raise BadRun(f"[{stage.kind}]: {error}") from error
