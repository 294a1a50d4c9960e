"""A training run as its TOML says it."""

import tomllib
from collections.abc import Mapping
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
    """`steps` include `warmup` and the closing `decay`; in the first `copying_steps` copying alone is drilled.

    A step takes `trees` whole dialogues of at most `tree_tokens`, `grave` more on refusals and emergencies, `drafts`
    prompts with their draft and nothing that is asked of it, `grafts` drafts without their prompt, `mends` drafts with
    their edits alone, and `echoes`, of which `scrambles` in no order of words, `drills` and `associations`; echoes and
    drills `copying_drills` times as many where they stand alone.
    `workers` processes make the batches, beside the one that learns; 0: it makes them itself.
    `start` is the folder of an earlier edition to go on from, empty for none.
    `rivals` is the number of tokens that a wanted one is told from; `bfloat16` is for the layers, not for the head.
    """

    name: str
    seed: int
    threads: int
    workers: int
    start: str
    start_sha256: str
    shape: Shape
    tokenizer_dialogues: int
    trees: int
    tree_tokens: int
    grafts: int
    mends: int
    grave: int
    echoes: int
    scrambles: int
    drills: int
    associations: int
    steps: int
    copying_steps: int
    copying_drills: int
    warmup: int
    decay: int
    rivals: int
    learning_rate: float
    weight_decay: float
    clip: float
    bfloat16: bool
    save_every: int
    check_every: int
    raw: dict[str, Any]
    drafts: int = 0

    @property
    def folder(self) -> Path:
        """Where the run keeps its state; git ignores it."""
        return Path("build/training") / self.name


def read(path: Path) -> RunConfig:
    """Reads one TOML.

    Raises:
        TypeError: a key is missing or unknown.

    """
    return of(tomllib.loads(path.read_text(encoding="utf-8")))


def of(raw: Mapping[str, Any]) -> RunConfig:
    """What a TOML says.

    Raises:
        TypeError: a key is missing or unknown.

    """
    values = {key: value for section in ("run", "data", "schedule", "optimiser") for key, value in raw[section].items()}
    return RunConfig(shape=Shape(**raw["shape"]), raw=dict(raw), **values)
