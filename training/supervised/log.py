"""A run's log: a line of losses now and then, and each held-out report."""

import json
import time
from pathlib import Path

import torch
from torch import Tensor

from training.supervised.trees import STAGES


class Log:
    """Prints a line every so many steps, and appends it to a file."""

    def __init__(self, path: Path, *, prints: bool, every: int = 10) -> None:
        self._path, self._prints, self._every = path, prints, every
        self._steps: list[Tensor] = []
        self._since = time.monotonic()

    def train(self, number: int, report: Tensor) -> None:
        """Adds a step's report; it is read, and waited for, only when a line is due."""
        self._steps.append(report)
        if (number + 1) % self._every == 0:
            total = torch.stack(self._steps).sum(0).tolist()
            seconds = time.monotonic() - self._since
            row: dict[str, object] = {"kind": "train", "step": number + 1, "tokens": int(total[-1])}
            row["tokens_per_second"] = round(total[-1] / seconds)
            for at, stage in enumerate(STAGES):
                loss, right, count = total[3 * at : 3 * at + 3]
                row[stage] = [round(loss / max(count, 1), 3), round(right / max(count, 1), 3)]
            self._write(row)
            self._steps, self._since = [], time.monotonic()

    def check(self, number: int, report: dict[str, float]) -> None:
        """Writes a held-out report."""
        self._write({"kind": "held_out", "step": number + 1, **report})
        self._since = time.monotonic()

    def _write(self, row: dict[str, object]) -> None:
        line = json.dumps(row)
        if self._prints:
            print(line, flush=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
