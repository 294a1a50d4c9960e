"""Pages that go to a person and come back: YAML and a yes or no, read strictly, never by a guess at what was meant."""

import os
from pathlib import Path
from typing import Final

import yaml
from yaml import CSafeDumper

from principles_store.loading import NoRepeats

# As people and spreadsheets write it; YAML's own yes and no come as booleans, quoted ones as text.
ANSWERS: Final = {"yes": True, "y": True, "true": True, "1": True, "no": False, "n": False, "false": False, "0": False}


class Illegible(ValueError):
    """A page cannot be read, or an answer on it; the message says what it wants, and none of its words."""


def text(path: Path) -> str:
    """The page's words.

    Raises:
        Illegible: there is no such file, or it is in another encoding than UTF-8.

    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise Illegible(f"{path}: is not UTF-8: save as UTF-8 (a spreadsheet calls it CSV UTF-8)") from error
    except OSError as error:
        raise Illegible(f"{path}: cannot be read ({type(error).__name__})") from error


def rows(path: Path) -> object:
    """What a page of YAML holds.

    Raises:
        Illegible: it cannot be read, or a name stands twice in one place, of which YAML keeps the last in silence.

    """
    try:
        return yaml.load(text(path), Loader=NoRepeats)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a day that is none is a ValueError
        if isinstance(error, Illegible):
            raise
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise Illegible(f"{path}: cannot be read as YAML{where}, or a name stands there twice") from error


def write(path: Path, content: str, *, encoding: str = "utf-8") -> None:
    """Puts the file in its place whole, or leaves what is there."""
    partial = path.with_name(f"{path.name}.partial")
    with partial.open("w", encoding=encoding, newline="") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def dumped(rows: object) -> str:
    """YAML as people read it, by libyaml: at 7,034 examples the plain writer takes half a minute."""
    content: str = yaml.dump(rows, Dumper=CSafeDumper, sort_keys=False, allow_unicode=True, width=110)
    return content


def says_yes(value: object, of: str) -> bool:
    """Whether the answer to `of` is yes.

    Raises:
        Illegible: it is neither yes nor no.

    """
    if isinstance(value, bool):
        return value
    if (found := ANSWERS.get(str(value).strip().lower())) is None:
        raise Illegible(f"{of}: should be yes or no")
    return found
