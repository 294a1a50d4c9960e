"""The ledger: entries chained by hash, in a file of one writer or in memory within a bound."""

import asyncio
import fcntl
import os
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from enum import StrEnum
from itertools import pairwise
from pathlib import Path

from service.audit.chain import GENESIS, Verification, canonical, read, seal, verify_lines
from service.domain.errors import LedgerError, SettingsError

_RESERVED = frozenset({"prev", "hash"})
_BLOCK = 64 * 1024
# No descriptor: what is written after the end fails, and never lands in a file that took the number over.
_CLOSED = -1


class Fsync(StrEnum):
    """When a file's entries are forced to disk: with each, so that none is lost with the power, or by the system."""

    ALWAYS = "always"
    NEVER = "never"


class MemoryLedger:
    """The latest `max_entries` entries; the chain goes on through those that were forgotten."""

    def __init__(self, *, max_entries: int = 10_000) -> None:
        self._max_entries = max_entries
        self._lines: OrderedDict[str, bytes] = OrderedDict()
        self._head = GENESIS

    async def record(self, entry: Mapping[str, object]) -> None:
        """Write one entry; `entry["id"]` names it.

        Raises:
            LedgerError: the entry cannot be written as JSON, or has no id.

        """
        line, self._head = _sealed(entry, prev=self._head)
        self._lines[str(entry["id"])] = line
        if len(self._lines) > self._max_entries:
            self._lines.popitem(last=False)

    async def find(self, entry_id: str) -> Mapping[str, object] | None:
        """The entry of that id with its `prev` and `hash`, or None."""
        line = self._lines.get(entry_id)
        return None if line is None else read(line)

    async def broken(self) -> str | None:
        """Where the chain of the entries that are still held does not hold, in words; None where it does."""
        lines = list(self._lines.values())
        entries = [read(line) for line in lines]
        for number, (before, entry) in enumerate(pairwise(entries), start=2):
            if before is None or entry is None or entry["prev"] != before["hash"]:
                return f"entry {number} of those held does not follow from the one before"
        return None

    async def aclose(self) -> None:
        """Nothing is held."""


class FileLedger:
    """One JSON line an entry, in a file that only its owner reads and only this ledger writes.

    The chain goes on from the file's last line. A write that fails leaves the file as it was before.

    Raises:
        SettingsError: the file cannot be opened, has another writer, or its last line does not hold.

    """

    def __init__(self, path: Path, *, fsync: Fsync = Fsync.ALWAYS) -> None:
        self._path = path
        self._fsync = fsync
        self._writing = asyncio.Lock()
        self._file = _opened(path)
        try:
            self._size = os.fstat(self._file).st_size
            self._head = _resumed(self._file, path, size=self._size)
        except BaseException:
            os.close(self._file)
            raise

    async def record(self, entry: Mapping[str, object]) -> None:
        """Write one entry; `entry["id"]` names it. A write that has begun is finished though the caller is cancelled.

        Raises:
            LedgerError: the entry cannot be written.

        """
        await asyncio.shield(self._record(dict(entry)))

    async def _record(self, entry: Mapping[str, object]) -> None:
        async with self._writing:
            line, head = _sealed(entry, prev=self._head)
            await asyncio.to_thread(self._append, line + b"\n")
            self._head = head

    async def find(self, entry_id: str) -> Mapping[str, object] | None:
        """The latest entry of that id with its `prev` and `hash`, or None. Reads the file from end to end."""
        return await asyncio.to_thread(_found, self._path, entry_id)

    async def broken(self) -> str | None:
        """The first line that does not hold, in words; None where all do. Reads the file from end to end.

        Raises:
            LedgerError: the file cannot be read.

        """
        async with self._writing:
            found = (await asyncio.to_thread(verify, self._path)).broken
        return None if found is None else f"line {found.line} (byte {found.offset}): {found.why}"

    async def aclose(self) -> None:
        """Let the last write finish, force it to disk, and give the file up."""
        async with self._writing:
            file, self._file = self._file, _CLOSED
            await asyncio.to_thread(os.fsync, file)
            os.close(file)

    def _append(self, line: bytes) -> None:
        try:
            if os.fstat(self._file).st_size != self._size:
                raise LedgerError(f"audit ledger {self._path}: something else changed the file; entries stop here")
            self._write(line)
        except OSError as error:
            raise LedgerError(f"audit ledger {self._path}: cannot be written: {error.strerror}") from error
        self._size += len(line)

    def _write(self, line: bytes) -> None:
        """All of the line, or nothing of it."""
        rest = line
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
            if self._fsync is Fsync.ALWAYS:
                os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, self._size)
            raise


def verify(path: Path) -> Verification:
    """Follow a file's chain from its first line.

    Raises:
        LedgerError: the file cannot be read.

    """
    try:
        with path.open("rb") as lines:
            return verify_lines(lines)
    except OSError as error:
        raise LedgerError(f"audit ledger {path}: cannot be read: {error.strerror}") from error


def entries(path: Path) -> Iterator[Mapping[str, object]]:
    """Every entry of a file, in order, for export.

    Raises:
        LedgerError: the file cannot be read, or its chain is broken (before the first entry is given).

    """
    verification = verify(path)
    if verification.broken is not None:
        raise LedgerError(f"audit ledger {path}: line {verification.broken.line} is broken: {verification.broken.why}")
    with path.open("rb") as lines:
        for line in lines:
            entry = read(line[:-1])
            if entry is not None:
                yield entry


def _sealed(entry: Mapping[str, object], *, prev: str) -> tuple[bytes, str]:
    if not isinstance(entry.get("id"), str) or _RESERVED & entry.keys():
        raise LedgerError("an audit entry needs an `id` of text, and its `prev` and `hash` are the ledger's to write")
    try:
        return seal(entry, prev=prev)
    except (TypeError, ValueError, RecursionError) as error:
        raise LedgerError("an audit entry must be plain JSON: text, numbers, lists and objects") from error


def _opened(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SettingsError(f"audit_path: {path} cannot be opened: {error.strerror}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.fchmod(file, 0o600)
    except OSError as error:
        os.close(file)
        if isinstance(error, BlockingIOError):
            raise SettingsError(
                f"audit_path: another gateway writes {path}; give each its own file, or end the other"
            ) from error
        raise SettingsError(f"audit_path: {path} cannot be locked for its owner: {error.strerror}") from error
    return file


def _resumed(file: int, path: Path, *, size: int) -> str:
    """The hash of the last line. The whole chain is for `verify`: a start must not wait for it."""
    if size == 0:
        return GENESIS
    line = _last_line(file, size)
    entry = read(line[:-1]) if line.endswith(b"\n") else None
    if entry is None:
        begins = size - len(line)
        raise SettingsError(
            f"audit_path: the last line of {path}, from byte {begins}, is broken, so the chain cannot go on from it. "
            f"`clinalign audit verify` says where the chain breaks. Keep a copy; then move the file aside and start "
            f"a new one, or cut a write that was cut short with `truncate -s {begins} {path}`"
        )
    return str(entry["hash"])


def _last_line(file: int, size: int) -> bytes:
    """From the newline before the last to the end."""
    tail, at = b"", size
    while at > 0 and b"\n" not in tail[:-1]:
        step = min(_BLOCK, at)
        at -= step
        tail = os.pread(file, step, at) + tail
    return tail[tail[:-1].rfind(b"\n") + 1 :]


def _found(path: Path, entry_id: str) -> dict[str, object] | None:
    needle = b'"id":' + canonical(entry_id)
    found = None
    try:
        with path.open("rb") as lines:
            for line in lines:
                entry = read(line[:-1]) if needle in line else None
                if entry is not None and entry["id"] == entry_id:
                    found = entry
    except OSError as error:
        raise LedgerError(f"audit ledger {path}: cannot be read: {error.strerror}") from error
    return found
