"""Pages that a person has worked on are never written over: a folder knows by digest the pages it has written."""

import hashlib
from pathlib import Path
from typing import Final

_FILE: Final = "pages.sha256"


class WorkedOn(ValueError):
    """A page is there that is not as it was written; the message says which, and what to do."""


def spare(folder: Path, page: Path) -> None:
    """Before anything is paid for: whether `page` may be written, which is so where none is, or none was changed.

    Raises:
        WorkedOn: it holds something that this folder never wrote.

    """
    if page.exists() and _digest(page) not in _written(folder):
        raise WorkedOn(
            f"{page}: holds what a person wrote, and would be lost: give --out another name, or move it away first"
        )


def note(folder: Path, page: Path) -> None:
    """Remembers a page as it was written just now."""
    digest = _digest(page)
    if digest not in _written(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / _FILE).open("a", encoding="utf-8") as file:
            file.write(f"{digest}\n")


def _written(folder: Path) -> frozenset[str]:
    path = folder / _FILE
    return frozenset(path.read_text(encoding="utf-8").split()) if path.exists() else frozenset()


def _digest(page: Path) -> str:
    return hashlib.sha256(page.read_bytes()).hexdigest()
