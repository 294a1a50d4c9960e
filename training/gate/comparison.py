"""The gate from end to end: two checkpoints' folders and a judge's in, a report out."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from training import gguf
from training.dialogues import library
from training.export.manifest import digest
from training.gate.decision import Figures
from training.gate.judges import Judge, check, opened
from training.gate.report import HTML_NAME, JSON_NAME, Report
from training.gate.rows import Rows, measure
from training.llama import Llama

_GROUPS = 4


def compare(
    candidate: Path, incumbent: Path, judge: Path, *, count: int, seed: int, progress: Callable[[], None]
) -> Report:
    """Measures both on the same rows, each served by llama.cpp from its GGUF; `progress` is called once a dialogue.

    Raises:
        CheckpointRefused: one of them cannot be served.
        SettingsError: the small judge's folder cannot be used.
        NotComparable: a figure could not be measured for both.
        OwnJudge: the candidate would judge itself.

    """
    check(judge, candidate)
    for place in (candidate, incumbent):
        gguf.need(place, sealed=True)
    rows = Rows(library=library.load(), queries=library.queries(), count=count, seed=seed)
    with opened(judge) as reader:
        new, old = (_measured(place, reader, rows, progress) for place in (candidate, incumbent))
    facts = {
        "candidate": candidate.name,
        "incumbent": incumbent.name,
        **{f"{who}_weights": gguf.weights(at) for who, at in (("candidate", candidate), ("incumbent", incumbent))},
        "judge": f"{reader.name}, which gave no reward",
        "engine": "llama.cpp, greedy",
        "dialogues": f"{count} of each group, held out, seed {seed}",
    }
    return Report(new, old, facts)


def dialogues(count: int) -> int:
    """How often `compare` tells of progress."""
    return 2 * _GROUPS * count


def write(report: Report, folder: Path) -> None:
    """Both files of the report."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / JSON_NAME).write_text(report.to_json(), encoding="utf-8")
    (folder / HTML_NAME).write_text(report.page(), encoding="utf-8")


def _measured(checkpoint: Path, reader: Judge, rows: Rows, progress: Callable[[], None]) -> Figures:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.gguf"
        gguf.write(checkpoint, path)
        return measure(digest(checkpoint), Llama(path), reader, rows, progress=progress)
