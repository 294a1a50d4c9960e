"""Published checkpoints on disk: a folder with one folder each, named by digest, and `current`, a link to one of them.

A checkpoint's digest is the SHA-256 of its manifest, which names every file in it with a hash of its own.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from service.domain.errors import SettingsError

POINTER: Final = "current"
_MANIFEST, _GGUF = "manifest.json", "model.gguf"
_NAME = re.compile(r"sha256-[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Published:
    """A checkpoint that was checked: its digest as `sha256:<hex>`, and the file that llama.cpp reads."""

    digest: str
    gguf: Path


def pointed(folder: Path) -> str:
    """The name that `current` points at.

    Raises:
        SettingsError: there is no such link, or it leads to something that is not named by a digest.

    """
    try:
        name = (folder / POINTER).readlink().name
    except OSError as error:
        raise SettingsError(
            f"{folder / POINTER}: no link to a published checkpoint ({type(error).__name__})"
        ) from error
    if not _NAME.fullmatch(name):
        raise SettingsError(f"{folder / POINTER}: leads to {name!r}, which is no digest (sha256-<64 hex digits>)")
    return name


def opened(folder: Path, name: str) -> Published:
    """The checkpoint of that name, after its manifest and its GGUF were checked against their hashes.

    Raises:
        SettingsError: a file is missing, or is not the one that its digest or the manifest names.

    """
    place = folder / name
    try:
        manifest = (place / _MANIFEST).read_bytes()
        expected = json.loads(manifest)["files"][_GGUF]
        with (place / _GGUF).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(f"{place}: is no published checkpoint ({type(error).__name__})") from error
    digest = hashlib.sha256(manifest).hexdigest()
    if name != f"sha256-{digest}":
        raise SettingsError(f"{place}: its manifest's digest is {digest}: it was changed after it was published")
    if found != expected:
        raise SettingsError(f"{place / _GGUF}: sha256 is {found}, the manifest says {expected}")
    return Published(f"sha256:{digest}", place / _GGUF)


def digest_in(path: str | None) -> str:
    """The digest that the last part of a path names, as vLLM lists where its model lies; empty where it names none."""
    name = Path(path or "").name
    return name.replace("-", ":", 1) if _NAME.fullmatch(name) else ""
