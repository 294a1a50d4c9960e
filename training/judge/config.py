"""A run of the small judge as its TOML says it."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Stage:
    """`steps` with a rising `warmup` and a closing `decay`, on texts mixed by `shares`."""

    steps: int
    warmup: int
    decay: int
    learning_rate: float
    shares: Mapping[str, float]

    def rate(self, step: int) -> float:
        """The share of the learning rate at a step of the stage."""
        return max(0.01, min(1.0, (step + 1) / self.warmup, (self.steps - step) / self.decay))


@dataclass(frozen=True, slots=True)
class JudgeRun:
    """The stages follow one another; a step takes a batch of up to `tokens` padded tokens.

    The lowest `frozen` layers keep their first weights.
    """

    name: str
    version: str
    seed: int
    frozen: int
    answer_tokens: int
    claim_tokens: int
    medquad: int
    tokens: int
    head_learning_rate: float
    weight_decay: float
    check_every: int
    watched: int
    folds: int
    stages: tuple[Stage, ...]
    raw: Mapping[str, Any]

    @property
    def steps(self) -> int:
        """Of all stages."""
        return sum(stage.steps for stage in self.stages)

    def at(self, step: int) -> tuple[Stage, int]:
        """The stage of a step, and the step's number in it; the last stage beyond the end."""
        for stage in self.stages[:-1]:
            if step < stage.steps:
                return stage, step
            step -= stage.steps
        return self.stages[-1], step

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
    return JudgeRun(raw=raw, stages=tuple(Stage(**stage) for stage in raw["stage"]), **values)
