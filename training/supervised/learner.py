"""The model with its optimisers and the best score so far: batches in, a resumable state and the best weights out."""

import math
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor

from training.chatml import SPECIAL
from training.supervised.batch import Batch
from training.supervised.config import RunConfig
from training.supervised.loss import losses
from training.supervised.muon import Muon
from training.supervised.network import new, start_from

BEST = "best.pt"


class Learner:
    """Muon trains matrices, AdamW the rest."""

    def __init__(self, config: RunConfig, tokenizer: Tokenizer, device: torch.device) -> None:
        torch.manual_seed(config.seed)
        self.config, self.device = config, device
        self.model = new(config.shape, {text: tokenizer.token_to_id(text) for text in SPECIAL})
        if config.start:
            start_from(Path(config.start) / "model.safetensors", self.model, sha256=config.start_sha256)
        self.model.to(device)
        named = dict(self.model.named_parameters())
        matrices = [p for name, p in named.items() if p.ndim == 2 and "embed" not in name]
        rest = [p for name, p in named.items() if p.ndim != 2 or "embed" in name]
        rate = config.learning_rate
        self.optimisers: list[torch.optim.Optimizer] = [
            Muon(matrices, lr=rate, weight_decay=config.weight_decay),
            torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True),
        ]
        self.best = -math.inf

    def step(self, number: int, batch: Batch) -> Tensor:
        """One step; returns summed loss, hits and count of each stage, and tokens."""
        chance = torch.Generator().manual_seed(self.config.seed * 1_000_003 + number)
        config = self.config
        total, report = losses(
            self.model, batch.to(self.device), rivals=config.rivals, chance=chance, bfloat16=config.bfloat16
        )
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.clip)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = config.learning_rate * schedule(config, number)
            optimiser.step()
            optimiser.zero_grad()
        return report

    def keep_if_best(self, report: dict[str, float], number: int) -> None:
        """Writes the weights where the held-out score is the best so far."""
        if report["score"] > self.best:
            self.best = report["score"]
            state = {"step": number + 1, "score": self.best, "model": self.model.state_dict()}
            _write(state, self.config.folder / BEST)

    def save(self, path: Path, number: int) -> None:
        """Writes the state, whole or not at all."""
        state = {
            "step": number,
            "best": self.best,
            "model": self.model.state_dict(),
            "optimisers": [o.state_dict() for o in self.optimisers],
        }
        _write(state, path)

    def load(self, path: Path) -> int:
        """Reads the state; returns the number of steps done."""
        state = torch.load(path, weights_only=True, map_location=self.device)
        self.model.load_state_dict(state["model"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.best = float(state["best"])
        return int(state["step"])


def schedule(config: RunConfig, number: int) -> float:
    """The share of the learning rate at a step: a warm-up, a plateau, a linear decay."""
    if number < config.warmup:
        return (number + 1) / config.warmup
    return min(1.0, max(0.02, (config.steps - number) / config.decay))


def _write(state: dict[str, object], path: Path) -> None:
    torch.save(state, path.with_suffix(".partial"))
    path.with_suffix(".partial").replace(path)
