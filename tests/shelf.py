"""Published checkpoints as the gateway finds them: a tiny model each, in a folder named by its manifest's digest."""

import hashlib
import json
import shutil
from pathlib import Path

from tests import tiny_gguf


def put(shelf: Path, *, seed: int) -> str:
    """A checkpoint of random weights among the published ones; gives its name."""
    place = shelf / f"new-{seed}"
    place.mkdir(parents=True)
    weights = tiny_gguf.write(place / "model.gguf", seed=seed)
    manifest = json.dumps({"files": {"model.gguf": hashlib.sha256(weights.read_bytes()).hexdigest()}})
    (place / "manifest.json").write_text(manifest)
    name = f"sha256-{hashlib.sha256(manifest.encode()).hexdigest()}"
    shutil.move(place, shelf / name)
    return name


def point(shelf: Path, name: str) -> None:
    """Make it current, in one step."""
    fresh = shelf / ".fresh"
    fresh.symlink_to(name)
    fresh.replace(shelf / "current")


def digest(name: str) -> str:
    """As provenance has it."""
    return name.replace("-", ":", 1)
