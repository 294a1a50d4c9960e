"""A training run as its TOML says it."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Shape:
    """The model's shape: a Qwen3 with tied embeddings."""

    vocabulary: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    feed_forward: int
    context: int


@dataclass(frozen=True, slots=True)
class RunConfig:
    """`steps` include `warmup` and the closing `decay`; a step takes `trees` dialogues on each of `workers` processes.

    `tree_tokens` is the longest tree. Each process adds `drills` drills in copying to a step.
    """

    name: str
    seed: int
    shape: Shape
    tokenizer_dialogues: int
    steps: int
    warmup: int
    decay: int
    workers: int
    trees: int
    tree_tokens: int
    drills: int
    associations: int
    learning_rate: float
    weight_decay: float
    clip: float
    save_every: int
    check_every: int
    raw: dict[str, Any]

    @property
    def folder(self) -> Path:
        """Where the run keeps its state; git ignores it."""
        return Path("build/training") / self.name


def read(path: Path) -> RunConfig:
    """Reads one TOML.

    Raises:
        TypeError: a key is missing or unknown.

    """
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    values = {key: value for section in ("run", "data", "schedule", "optimiser") for key, value in raw[section].items()}
    return RunConfig(shape=Shape(**raw["shape"]), raw=raw, **values)
