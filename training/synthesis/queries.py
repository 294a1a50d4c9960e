"""Unlabelled queries of a JSONL, CSV or Parquet file, one at a time, each once; a bad row is named."""

import csv
import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Where a row keeps its text, unless the caller says.
_FIELDS = ("query", "question", "Question", "text", "prompt", "first_user_turn")


class BadQueries(ValueError):
    """The file cannot be read as queries; the message says where, and none of its words."""


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
        BadQueries: the file cannot be read, its kind is not known, or a row has no text.

    """
    seen: set[str] = set()
    for number, row in enumerate(_rows(path), start=1):
        text = " ".join(_text(row, field, where=f"{path.name}: row {number}").split())
        name = hashlib.sha256(text.encode()).hexdigest()[:24]
        if text and name not in seen:
            seen.add(name)
            yield Query(name, text, source or path.name, number)


def _text(row: object, field: str | None, *, where: str) -> str:
    if isinstance(row, dict):
        for name in (field,) if field else _FIELDS:
            if isinstance(value := row.get(name), str):
                return value
    wanted = f"`{field}`" if field else f"any of {', '.join(_FIELDS)}"
    raise BadQueries(f"{where}: no text under {wanted}")


def _rows(path: Path) -> Iterator[Any]:
    kind = "".join(path.suffixes[-2:] if path.suffix == ".gz" else path.suffixes[-1:]).lower()
    try:
        match kind:
            case ".jsonl" | ".jsonl.gz":
                yield from _jsonl(path)
            case ".csv" | ".csv.gz":
                with _opened(path) as file:
                    yield from csv.DictReader(file)
            case ".parquet":
                yield from _parquet(path)
            case _:
                raise BadQueries(f"{path}: should be .jsonl, .csv (also .gz) or .parquet")
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise BadQueries(f"{path}: cannot be read ({type(error).__name__})") from error


def _opened(path: Path) -> Any:
    return (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8", newline="")


def _jsonl(path: Path) -> Iterator[Any]:
    with _opened(path) as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                try:
                    yield json.loads(line)
                except json.JSONDecodeError as error:
                    raise BadQueries(f"{path.name}: line {number} is not JSON") from error


def _parquet(path: Path) -> Iterator[Any]:
    """Batch by batch, so that a file larger than memory is no matter."""
    try:
        from pyarrow import parquet  # noqa: PLC0415 - only this format needs it
    except ModuleNotFoundError:
        raise BadQueries(f"{path}: Parquet needs pyarrow: run `make install-align`, or save it as JSONL") from None
    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=1024):
            yield from batch.to_pylist()
