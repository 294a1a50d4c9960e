"""A run of the small judge as its TOML says it."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class JudgeRun:
    """`steps` include `warmup` and the closing `decay`; a step takes batches of up to `tokens` padded tokens.

    `apart` layers read answer and claims apart, and the lowest `frozen` ones keep their first weights.
    """

    name: str
    version: str
    seed: int
    apart: int
    frozen: int
    answer_tokens: int
    claim_tokens: int
    shares: Mapping[str, float]
    medquad: int
    steps: int
    warmup: int
    decay: int
    tokens: int
    learning_rate: float
    head_learning_rate: float
    weight_decay: float
    check_every: int
    watched: int
    folds: int
    raw: Mapping[str, Any]

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
    return JudgeRun(raw=raw, **values)
