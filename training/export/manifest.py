"""The manifest of a checkpoint: facts, and the digest of every file and, of the small form, of its GGUF."""

import json
import tempfile
from pathlib import Path
from typing import Any

from training import gguf

NAME = "manifest.json"
# What the weights of the third edition had learnt from before its own run, which its manifest does not tell.
BEFORE_THE_THIRD = "two earlier editions and a run that was not published: 19, 2.4 and 4.7 million tokens"


def read(checkpoint: Path) -> dict[str, Any]:
    """The manifest."""
    facts: dict[str, Any] = json.loads((checkpoint / NAME).read_text(encoding="utf-8"))
    return facts


def digest(checkpoint: Path) -> str:
    """A checkpoint's name: `sha256-` and the digest of its manifest."""
    return f"sha256-{gguf.sha256(checkpoint / NAME)}"


def has_small_form(folder: Path) -> bool:
    """Whether it is a checkpoint of our small form: a GGUF is made of it, and it is exported, gated and served here."""
    return (folder / NAME).is_file() and "gguf_sha256" in read(folder)


def editions(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """The editions whose weights a checkpoint's last run went on from, first to last."""
    untold = [{"told": BEFORE_THE_THIRD}] if facts["run"]["run"].get("start") else []
    return list(facts.get("editions_before", untold))


def editions_to(start: Path, weights_sha256: str) -> list[dict[str, Any]]:
    """The same of a run that starts from a checkpoint: those before it, and itself by its digest and tokens."""
    if not has_small_form(start):
        return [{"weights": weights_sha256}]
    facts = read(start)
    return [*editions(facts), {"checkpoint": digest(start), "tokens": facts["tokens"]}]


def seal(checkpoint: Path, facts: dict[str, Any], *, small: bool = True) -> dict[str, Any]:
    """Writes the manifest with the digests of all other files as they are now, and of the small form's GGUF."""
    (checkpoint / NAME).unlink(missing_ok=True)
    converted = {}
    if small:
        with tempfile.TemporaryDirectory() as scratch:
            converted = {"gguf_sha256": gguf.write(checkpoint, Path(scratch) / "model.gguf")}
    files = {path.name: gguf.sha256(path) for path in sorted(checkpoint.iterdir())}
    sealed = {**facts, **converted, "files": files}
    partial = checkpoint.with_name(f"{checkpoint.name}.{NAME}")  # beside it, or a kill would leave a file of nobody's
    partial.write_text(json.dumps(sealed, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    partial.replace(checkpoint / NAME)
    return sealed


def mismatches(checkpoint: Path) -> tuple[str, ...]:
    """Names of files that are missing, extra or not what the manifest says."""
    expected: dict[str, str] = read(checkpoint)["files"]
    found = {path.name: gguf.sha256(path) for path in checkpoint.iterdir() if path.name != NAME}
    return tuple(sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)))
