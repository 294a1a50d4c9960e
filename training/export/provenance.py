"""Where a checkpoint comes from: the revision, and digests of the sources that its data were made from."""

import hashlib
import subprocess
from pathlib import Path
from typing import Final

from training.dialogues.library import ROOT

SOURCES: Final = (
    "training/exemplars",
    "training/dialogues",
    "principles_store/principles",
    "principles_store/queries",
    "service/prompts",
)


def revision() -> str:
    """The commit of the working tree."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S607 - git, from the path
    return done.stdout.strip()


def sources() -> dict[str, str]:
    """For each folder of sources one digest over its files, in order of their names."""
    return {folder: _digest_of(folder) for folder in SOURCES}


def weights(folder: Path) -> str:
    """A digest of a checkpoint's weights."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        digest.update(file_sha256(path).encode())
    return digest.hexdigest()


def file_sha256(path: Path) -> str:
    """A file's digest, read in parts."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest_of(folder: str) -> str:
    digest = hashlib.sha256()
    for path in sorted((ROOT / folder).rglob("*")):
        if path.suffix in {".py", ".yaml"}:
            digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
