"""Publishing: a checkpoint that passed the gate becomes a folder named by its digest, and `current` leads to it.

The digest is the SHA-256 of the manifest, which names every file: weights, tokenizer, GGUF, card and the gate's report.
"""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

from training import gguf
from training.export import manifest, model_card
from training.gate.report import HTML_NAME, JSON_NAME, SECTION, Report

POINTER: Final = "current"
GGUF_NAME: Final = "model.gguf"
_CARD: Final = "README.md"


class NotPublished(ValueError):
    """The checkpoint may not take the incumbent's place; the message says why."""


def current(shelf: Path) -> str | None:
    """What the pointer leads to; None where nothing was published yet."""
    pointer = shelf / POINTER
    return pointer.readlink().name if pointer.is_symlink() else None


def publish(checkpoint: Path, shelf: Path, *, report: Path | None) -> str:
    """Copies the checkpoint with its GGUF and the gate's report into `shelf`, and points there. Returns its name.

    `report` is the folder that the gate wrote; only the first checkpoint of a shelf needs none.

    Raises:
        CheckpointRefused: it is no checkpoint with a manifest.
        NotPublished: files are not the manifest's, or the report is missing, of others, or against it.

    """
    gguf.need(checkpoint, sealed=True)
    if odd := manifest.mismatches(checkpoint):
        raise NotPublished(f"{checkpoint}: not what its manifest says: {', '.join(odd)}")
    incumbent = current(shelf)
    if report is not None:
        _check(Report.read(report / JSON_NAME), checkpoint, incumbent)
    elif incumbent is not None:
        raise NotPublished(f"{incumbent} is current: a checkpoint takes its place by a report of the gate alone")
    shelf.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=shelf, prefix=".partial-") as scratch:
        copy = Path(scratch) / "checkpoint"
        shutil.copytree(checkpoint, copy)
        if report is not None:
            for part in (JSON_NAME, HTML_NAME):
                shutil.copy(report / part, copy / part)
            _tell(Report.read(report / JSON_NAME), copy / _CARD)
        gguf.write(copy, copy / GGUF_NAME)
        manifest.seal(copy, {**manifest.read(copy), "published_from": manifest.digest(checkpoint)})
        name = manifest.digest(copy)
        if not (shelf / name).exists():
            for path in copy.iterdir():
                path.chmod(0o444)
            copy.rename(shelf / name)
    point(shelf, name)
    return name


def describe(checkpoint: Path, figures: dict[str, Any]) -> None:
    """Writes the figures and the card anew, with what the gate found where its report lies there, and seals again.

    The card is part of the digest, so the manifest keeps the one that the gate knew the checkpoint by, as `gated_as`.

    Raises:
        BadReport: what lies there as the gate's report is none.
        NotPublished: the report is of another checkpoint.

    """
    facts = manifest.read(checkpoint)
    report = Report.read(checkpoint / JSON_NAME) if (checkpoint / JSON_NAME).exists() else None
    if report is not None:
        if (of := report.candidate.checkpoint) not in {manifest.digest(checkpoint), facts.get("gated_as")}:
            raise NotPublished(f"{checkpoint / JSON_NAME} is of {of}: put this checkpoint's own there, or none")
        facts = {**facts, "gated_as": of}
    model_card.write(checkpoint, facts, figures)
    if report is not None:
        _tell(report, checkpoint / _CARD)
    manifest.seal(checkpoint, facts)


def point(shelf: Path, name: str) -> None:
    """Makes `name` current, in one step: who looks sees the one before or this one.

    Raises:
        NotPublished: it is not there, or was changed since it was published.

    """
    place = shelf / name
    if not (place / manifest.NAME).is_file():
        raise NotPublished(f"{place}: nothing was published under this name")
    if manifest.digest(place) != name or (odd := manifest.mismatches(place)):
        changed = "" if manifest.digest(place) != name else f": {', '.join(odd)}"
        raise NotPublished(f"{place}: was changed after it was published{changed}")
    fresh = shelf / f".{POINTER}-{os.getpid()}"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(name)
    fresh.replace(shelf / POINTER)


def _tell(report: Report, card: Path) -> None:
    """The gate's words at the end of the card, in place of those of an earlier gate."""
    said = card.read_text(encoding="utf-8") if card.exists() else ""
    card.write_text(said.partition(f"\n{SECTION}\n")[0] + report.section(), encoding="utf-8")


def _was_gated(report: Report, checkpoint: Path) -> bool:
    """Whether the report is of these weights under the name that they had before their card was written anew."""
    gated_as = manifest.read(checkpoint).get("gated_as")
    same_weights = report.facts.get("candidate_weights") == gguf.weights(checkpoint)
    return report.candidate.checkpoint == gated_as and same_weights


def _check(report: Report, checkpoint: Path, incumbent: str | None) -> None:
    """The report must be of these two, and its rows must say yes."""
    if report.candidate.checkpoint != manifest.digest(checkpoint) and not _was_gated(report, checkpoint):
        raise NotPublished(
            f"the report is of {report.candidate.checkpoint}, this checkpoint is {manifest.digest(checkpoint)}"
        )
    if incumbent is not None and report.incumbent.checkpoint != incumbent:
        raise NotPublished(f"the report is against {report.incumbent.checkpoint}, but {incumbent} is current")
    failed = [check.name for check in report.decision.checks if not check.holds]
    if failed:
        raise NotPublished(f"the gate did not let it through: {', '.join(failed)}")
