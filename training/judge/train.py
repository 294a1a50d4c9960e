"""Train the small judge's upper layers: one TOML and packed texts in; weights, and logits of what was held out, out.

First on what all folds may see; from there once without each fold, to read what it holds out, and once on all. Each
part is kept, so that a run that stops goes on with the next.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor

from training.encoder_export import WEIGHTS, find
from training.intervals import macro_f1
from training.judge import learn
from training.judge.acts import FOLDS
from training.judge.config import JudgeRun
from training.judge.learn import Texts
from training.judge.network import Reader, from_minilm
from training.judge.pools import SHARED, Draw, Packed, drawing
from training.judge.schedule import Schedule

STATE = "trained.safetensors"
HELD_OUT = "held_out.npz"
LOG = "log.json"
_HALF = 0.5
Weights = dict[str, Tensor]


def run(config: JudgeRun, training: Packed, judged: Packed) -> Reader:
    """Train as configured, on a GPU where there is one."""
    torch.set_num_threads(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    reader = start(config).to(device)
    config.folder.mkdir(parents=True, exist_ok=True)
    texts, asked = Texts(reader, training, device), Texts(reader, judged, device)
    shared = np.flatnonzero(training.folds == SHARED)

    def fitted(name: str, draw: Draw, schedule: Schedule, seed: int, begin: Mapping[str, Tensor] | None) -> Weights:
        path = config.folder / f"{name}.safetensors"
        if path.exists():
            return load_file(path, device=str(device))
        if begin is not None:
            learn.load(reader, begin)
        weights, _ = learn.train(reader, texts, draw, schedule, seed=seed)
        _save(path, weights)
        return weights

    first = fitted("shared", lambda rng, count: rng.choice(shared, count), config.first, config.seed, None)
    logits = np.zeros(int(judged.claims[-1]), dtype=np.float32)
    for fold in (*range(FOLDS), None):
        draw = drawing(training, config.mix, without=fold)
        runs = [
            fitted(f"{'all' if fold is None else fold}-{seed}", draw, config.second, config.seed + seed, first)
            for seed in range(config.runs)
        ]
        learn.load(reader, learn.soup(runs))
        if fold is not None:
            found = learn.logits(reader, asked, np.flatnonzero(judged.folds == fold))
            logits = np.where(np.isnan(found), logits, found)
    _save(config.folder / STATE, learn.trained(reader))
    np.savez(config.folder / HELD_OUT, logits=logits)
    (config.folder / LOG).write_text(json.dumps(figures(judged, logits), indent=1) + "\n", encoding="utf-8")
    return reader.eval()


def figures(judged: Packed, logits: NDArray[np.float32]) -> dict[str, Any]:
    """Macro-F1 of the logit alone on what each fold holds out, by source, where nobody doubts the label."""
    origins = np.repeat(judged.origins, np.diff(judged.claims))
    told = judged.told.astype(np.float64)
    sure = (told == 0.0) | (told == 1.0)
    found: dict[str, Any] = {"held_out_claims": int(sure.sum())}
    for origin in sorted(set(origins.tolist())):
        mine = (origins == origin) & sure
        pairs = zip((told[mine] > _HALF).tolist(), (logits[mine] > 0).tolist(), strict=True)
        found[f"f1_{origin}"] = round(macro_f1(list(pairs)), 3)
    return found


def start(config: JudgeRun) -> Reader:
    """The untrained reader."""
    torch.manual_seed(config.seed)
    reader = from_minilm(load_file(Path(find(None).location) / WEIGHTS), branch=config.branch)
    reader.freeze()
    return reader


def tokenizer() -> Tokenizer:
    """MiniLM's, without padding or end."""
    found = Tokenizer.from_file(str(Path(find(None).location) / "tokenizer.json"))
    found.no_padding()
    found.no_truncation()
    return found


def _save(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Whole, or not at all."""
    fresh = path.with_suffix(".new")
    save_file({name: part.detach().cpu().contiguous() for name, part in weights.items()}, fresh)
    fresh.replace(path)
