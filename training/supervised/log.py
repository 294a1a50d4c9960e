"""A run's log: a line of losses now and then and each held-out report, as a file, a bar and TensorBoard's curves.

TensorBoard stands in the environment for alignment; without it the file alone is written.
"""

import importlib.util
import json
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn
from torch import Tensor

from training.supervised.trees import STAGES

LOG = "log.jsonl"
_EVERY = 10


class Log:
    """Begins at step `start`: what a stopped run logged beyond its last state is done again, and so cut off."""

    def __init__(self, folder: Path, *, start: int, steps: int, shows: bool) -> None:
        self._path = folder / LOG
        kept = [row for row in read(self._path) if row["step"] <= start] if self._path.exists() else []
        self._path.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
        self._reports: list[Tensor] = []
        self._since = time.monotonic()
        columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=Console(stderr=True), disable=not shows)
        self._task = self._bar.add_task("supervised", total=steps, completed=start)
        self._curves = _curves(folder)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._bar.stop()
        if self._curves:
            self._curves.close()

    def train(self, number: int, report: Tensor) -> None:
        """Adds a step's report; it is read, and waited for, only when a line is due."""
        self._reports.append(report)
        self._bar.advance(self._task)
        if (number + 1) % _EVERY == 0:
            self.flush(number)

    def flush(self, number: int) -> None:
        """Writes what has not been written yet: before a state is saved, so that no step is counted twice or never."""
        if not self._reports:
            return
        total = torch.stack(self._reports).sum(0).tolist()
        seconds = time.monotonic() - self._since
        row: dict[str, Any] = {"kind": "train", "step": number + 1, "tokens": int(total[-1])}
        row["tokens_per_second"] = round(total[-1] / seconds)
        for at, stage in enumerate(STAGES):
            loss, right, count = total[3 * at : 3 * at + 3]
            row[stage] = [round(loss / max(count, 1), 3), round(right / max(count, 1), 3)]
            self._curve(f"loss/{stage}", loss / max(count, 1), number + 1)
        self._write(row)
        self._reports, self._since = [], time.monotonic()

    def check(self, number: int, report: dict[str, float]) -> None:
        """Writes a held-out report."""
        self._write({"kind": "held_out", "step": number + 1, **report})
        for name, share in report.items():
            self._curve(f"held_out/{name}", share, number + 1)
        self._bar.console.print(f"step {number + 1}: {report}")
        self._since = time.monotonic()

    def _curve(self, name: str, value: float, step: int) -> None:
        if self._curves:
            self._curves.add_scalar(name, value, step)

    def _write(self, row: dict[str, Any]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of a log."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def tokens(path: Path, *, steps: int) -> int:
    """Tokens that passed through the model in so many steps."""
    return sum(row["tokens"] for row in read(path) if row["kind"] == "train" and row["step"] <= steps)


def _curves(folder: Path) -> Any:
    if importlib.util.find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - not in every environment

    return SummaryWriter(str(folder / "curves"))
