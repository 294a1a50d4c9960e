"""Unlabelled queries of a JSONL, CSV or Parquet file, one at a time, each once; a bad row is named."""

import csv
import gzip
import hashlib
import importlib.util
import json
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.environments import ROOT, TRAINING

# Where a row keeps its text, unless the caller says.
_FIELDS = ("query", "question", "Question", "text", "prompt", "first_user_turn")
_NO_PYARROW = "Parquet needs pyarrow: run `make install-align`, or save it as JSONL"


class BadQueries(ValueError):
    """The file cannot be read as queries; the message says where, and none of its words."""


class NoQueries(BadQueries):
    """The file can be read, and there is nothing in it to ask."""


@dataclass(frozen=True, slots=True)
class Query:
    """A question and where it came from. `id` is a digest of the text: the same question has it in any file."""

    id: str
    text: str
    source: str
    row: int


def read(path: Path, *, field: str | None = None, source: str | None = None) -> Iterator[Query]:
    """The queries in the file's order; one that came before, but for white space, is left out.

    Raises:
        BadQueries: the file cannot be read, its kind is not known, a row has no text, or there is no query.

    """
    seen: set[str] = set()
    fields = (field,) if field else _FIELDS
    for number, row in enumerate(_rows(path, fields), start=1):
        where = f"{path.name}: row {number}"
        text = " ".join(_text(row, fields, where=where).split())
        name = _name(text, where=where)
        if text and name not in seen:
            seen.add(name)
            yield Query(name, text, source or path.name, number)
    if not seen:
        raise NoQueries(f"{path}: no queries: no row has a text under {_named(fields)}")


def _name(text: str, *, where: str) -> str:
    try:
        return hashlib.sha256(text.encode()).hexdigest()[:24]
    except UnicodeEncodeError as error:
        place = f"{error.start + 1} of {len(text)}"
        raise BadQueries(f"{where}: letter {place} is half a character (a lone surrogate): mend or leave out") from None


def _text(row: object, fields: Sequence[str], *, where: str) -> str:
    if isinstance(row, dict):
        for name in fields:
            if isinstance(value := row.get(name), str):
                return value
    raise BadQueries(f"{where}: no text under {_named(fields)}")


def _named(fields: Sequence[str]) -> str:
    return " or ".join(f"`{name}`" for name in fields)


def _rows(path: Path, fields: Sequence[str]) -> Iterator[Any]:
    kind = "".join(path.suffixes[-2:] if path.suffix == ".gz" else path.suffixes[-1:]).lower()
    try:
        match kind:
            case ".jsonl" | ".jsonl.gz":
                yield from _jsonl(path)
            case ".csv" | ".csv.gz":
                yield from _csv(path)
            case ".parquet":
                yield from _parquet(path, fields)
            case _:
                raise BadQueries(f"{path}: should be .jsonl, .csv (also .gz) or .parquet")
    except (OSError, EOFError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BadQueries(f"{path}: cannot be read ({type(error).__name__})") from error


def _opened(path: Path) -> Any:
    return (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8-sig", newline="")


def _csv(path: Path) -> Iterator[Any]:
    with _opened(path) as file:
        rows = csv.DictReader(file)
        try:
            yield from rows
        except csv.Error as error:
            long = "field limit" in str(error)
            why = (
                f"a cell has more than {csv.field_size_limit():,} letters, the most there may be" if long else "no CSV"
            )
            raise BadQueries(f"{path.name}: line {rows.line_num + 1}: {why}") from error


def _jsonl(path: Path) -> Iterator[Any]:
    with _opened(path) as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                try:
                    yield json.loads(line)
                except json.JSONDecodeError as error:
                    raise BadQueries(f"{path.name}: line {number} is not JSON") from error


def _parquet(path: Path, fields: Sequence[str]) -> Iterator[Any]:
    """Never more than some rows in memory, by pyarrow: ours, or the training environment's by way of a pipe."""
    if importlib.util.find_spec("pyarrow") is not None:
        from training.synthesis.parquet import rows  # noqa: PLC0415 - only this format needs it

        yield from rows(path, fields)
        return
    if not TRAINING.exists():
        raise BadQueries(f"{path}: {_NO_PYARROW}")
    command = [str(TRAINING), "-m", "training.synthesis.parquet", str(path.absolute()), *fields]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as reader:  # noqa: S603 - our own words
        try:
            yield from map(json.loads, reader.stdout or ())
            said = (reader.stderr.read() if reader.stderr else b"").decode().splitlines()
            reader.wait()
        finally:
            reader.kill()  # who asked may have had enough
    if reader.returncode:
        why = said[-1] if said else f"exit status {reader.returncode}"
        raise BadQueries(f"{path}: {_NO_PYARROW if 'pyarrow' in why else f'cannot be read ({why})'}")
