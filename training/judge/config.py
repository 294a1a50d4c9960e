"""A run of the small judge as its TOML says it."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.judge.schedule import Schedule


@dataclass(frozen=True, slots=True)
class JudgeRun:
    """`counts` says how many groups each source makes; `first` is the schedule on those that all folds may see.

    From there `second` trains without each fold and on all, `runs` times each, whose weights are averaged; `mix` are
    the shares of sources that have folds, and what is left of 1 is the first part's.
    """

    name: str
    version: str
    seed: int
    branch: int
    answer_tokens: int
    claim_tokens: int
    question_tokens: int
    medquad: int
    folds: int
    runs: int
    counts: Mapping[str, int]
    mix: Mapping[str, float]
    first: Schedule
    second: Schedule
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
    values = {key: value for section in ("run", "network", "data", "fit") for key, value in raw[section].items()}
    first, second = (Schedule(**raw[name]) for name in ("first", "second"))
    return JudgeRun(raw=raw, counts=raw["counts"], mix=raw["mix"], first=first, second=second, **values)
