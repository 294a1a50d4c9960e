"""A journal of finished work: rows by key, appended one by one; a run that was killed goes on where it stopped."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class JournalBroken(Exception):
    """A line in the middle cannot be read, or another process writes; the message says where and what to do."""


class Journal(Mapping[str, Mapping[str, Any]]):
    """Rows of a JSONL file by their `key`. Each is on disk before `append` returns; a key is written once.

    What a kill left of a last line is cut off at the start: that row was not finished, and is made again.

    Raises:
        JournalBroken: a whole line is not a row, or another process has the journal open.

    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise JournalBroken(f"{path}: another run writes here; wait for it, or choose another folder") from None
        try:
            self._rows = self._read()
        except JournalBroken:
            self._file.close()
            raise

    def _read(self) -> dict[str, Mapping[str, Any]]:
        self._file.seek(0)
        content = self._file.read()
        whole = content.rfind(b"\n") + 1
        self._file.truncate(whole)
        return _rows(self.path, content[:whole])

    def append(self, key: str, row: Mapping[str, Any]) -> None:
        """Writes a row under a new key.

        Raises:
            ValueError: the key is there already.

        """
        if key in self._rows:
            raise ValueError(f"{self.path}: {key} was written before")
        written = {"key": key, **row}
        # Half a character, which models write, has no UTF-8: `\\udc00` is how JSON spells it, and reads it again.
        self._file.write(json.dumps(written, ensure_ascii=False).encode(errors="backslashreplace") + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._rows[key] = written

    def __getitem__(self, key: str) -> Mapping[str, Any]:
        return self._rows[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def finished(path: Path) -> Mapping[str, Mapping[str, Any]]:
    """The rows of a journal whose writer has come to its end, for as many readers as like.

    Raises:
        JournalBroken: a line is not a row.

    """
    return _rows(path, path.read_bytes())


def _rows(path: Path, content: bytes) -> dict[str, Mapping[str, Any]]:
    rows: dict[str, Mapping[str, Any]] = {}
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            row = json.loads(line)
            rows.setdefault(row["key"], row)
        except (ValueError, KeyError, TypeError) as error:
            raise JournalBroken(f"{path}: line {number} is no row; remove it to make that row again") from error
    return rows
