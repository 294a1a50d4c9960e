"""A run of the small judge as its TOML says it."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class JudgeRun:
    """`groups` texts with claims are composed once, mixed by `shares`, and read `steps` batches long.

    A batch holds up to `tokens` padded tokens. The learning rate rises for `warmup` steps and falls over the last
    `decay`.
    """

    name: str
    version: str
    seed: int
    answer_tokens: int
    claim_tokens: int
    question_tokens: int
    medquad: int
    groups: int
    tokens: int
    steps: int
    warmup: int
    decay: int
    learning_rate: float
    head_learning_rate: float
    weight_decay: float
    check_every: int
    watched: int
    folds: int
    shares: Mapping[str, float]
    raw: Mapping[str, Any]

    def rate(self, step: int) -> float:
        """The share of the learning rate at a step."""
        return max(0.01, min(1.0, (step + 1) / self.warmup, (self.steps - step) / self.decay))

    @property
    def folder(self) -> Path:
        """Where the run keeps its state; git ignores it."""
        return Path("build/training") / self.name


def read(path: Path) -> JudgeRun:
    """Read one TOML.

    Raises:
        TypeError: a key is missing or unknown.

    """
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    values = {
        key: value for section in ("run", "network", "data", "schedule", "fit") for key, value in raw[section].items()
    }
    return JudgeRun(raw=raw, shares=raw["shares"], **values)
