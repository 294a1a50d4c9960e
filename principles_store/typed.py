"""A command's name and options in; the line that a person types to run it again, out, as it stands beside a table.

Where the data lies is nobody's business but theirs who run it: its folder is written `FOLDER`, as in
`make evaluate DATA=FOLDER`, and its files by their names in it.
"""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

FOLDER: Final = "FOLDER"
Value = str | int | None


def typed(command: str, *options: tuple[str, Value]) -> str:
    """`clinalign evaluate retrieval --data FOLDER --page retrieval.md`, say.

    An option of None is not there; one that is a mere switch has an empty value.
    """
    return " ".join([command, *_words(options)])


def of_data(path: Path | None) -> str | None:
    """A folder of data, or a file in it."""
    if path is None:
        return None
    return FOLDER if path.is_dir() else f"{FOLDER}/{path.name}"


def of_page(path: Path | None) -> str | None:
    """Where the section was written, from the folder in which the command ran; by its name alone if from elsewhere."""
    if path is None:
        return None
    return path.name if path.is_absolute() else path.as_posix()


def _words(options: tuple[tuple[str, Value], ...]) -> Iterator[str]:
    for name, value in options:
        if value is not None:
            yield name
        if value is not None and value != "":
            yield shlex.quote(str(value))
