"""The manifest of a checkpoint: facts, and the digest of every file and of the GGUF that is made from them."""

import json
import tempfile
from pathlib import Path
from typing import Any

from training import gguf

NAME = "manifest.json"


def read(checkpoint: Path) -> dict[str, Any]:
    """The manifest."""
    facts: dict[str, Any] = json.loads((checkpoint / NAME).read_text(encoding="utf-8"))
    return facts


def digest(checkpoint: Path) -> str:
    """A checkpoint's name: `sha256-` and the digest of its manifest."""
    return f"sha256-{gguf.sha256(checkpoint / NAME)}"


def seal(checkpoint: Path, facts: dict[str, Any]) -> dict[str, Any]:
    """Writes the manifest with the digests of all other files as they are now."""
    (checkpoint / NAME).unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        converted = gguf.write(checkpoint, Path(scratch) / "model.gguf")
    files = {path.name: gguf.sha256(path) for path in sorted(checkpoint.iterdir())}
    sealed = {**facts, "gguf_sha256": converted, "files": files}
    (checkpoint / NAME).write_text(json.dumps(sealed, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return sealed


def mismatches(checkpoint: Path) -> tuple[str, ...]:
    """Names of files that are missing, extra or not what the manifest says."""
    expected: dict[str, str] = read(checkpoint)["files"]
    found = {path.name: gguf.sha256(path) for path in checkpoint.iterdir() if path.name != NAME}
    return tuple(sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)))
