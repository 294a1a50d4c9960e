"""The ledger in a file and in memory: what is written is found again, and a file goes on where it stopped."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.audit.chain import GENESIS
from service.audit.ledger import FileLedger, Fsync, MemoryLedger, entries, verify
from service.domain.errors import LedgerError, SettingsError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit" / "ledger.jsonl"


@pytest.fixture(params=["memory", "file"])
async def ledger(request: pytest.FixtureRequest, path: Path) -> AsyncIterator[MemoryLedger | FileLedger]:
    made = MemoryLedger() if request.param == "memory" else FileLedger(path, fsync=Fsync.NEVER)
    yield made
    await made.aclose()


class TestEither:
    async def test_an_entry_is_found_by_its_id_with_its_place_in_the_chain(
        self, ledger: MemoryLedger | FileLedger
    ) -> None:
        await ledger.record({"id": "a", "outcome": "released"})
        await ledger.record({"id": "b", "outcome": "withheld"})
        first, second = await ledger.find("a"), await ledger.find("b")
        assert first is not None
        assert second is not None
        assert (first["outcome"], first["prev"]) == ("released", GENESIS)
        assert second["prev"] == first["hash"]

    async def test_an_id_that_was_never_written_is_none(self, ledger: MemoryLedger | FileLedger) -> None:
        await ledger.record({"id": "a", "other": "b"})
        assert await ledger.find("b") is None

    @pytest.mark.parametrize(
        "entry",
        [
            {},
            {"id": 1},
            {"id": "a", "prev": "x"},
            {"id": "a", "hash": "x"},
            {"id": "a", "n": float("nan")},
            {"id": "a", "n": object()},
        ],
        ids=["no id", "a number for an id", "its own prev", "its own hash", "not a number", "not JSON"],
    )
    async def test_an_entry_that_cannot_be_chained_is_refused_and_leaves_the_chain_whole(
        self, ledger: MemoryLedger | FileLedger, entry: dict[str, object]
    ) -> None:
        await ledger.record({"id": "before"})
        with pytest.raises(LedgerError):
            await ledger.record(entry)
        await ledger.record({"id": "after"})
        before, after = await ledger.find("before"), await ledger.find("after")
        assert before is not None
        assert after is not None
        assert after["prev"] == before["hash"]


async def test_memory_holds_no_more_than_its_bound() -> None:
    ledger = MemoryLedger(max_entries=2)
    for name in "abc":
        await ledger.record({"id": name})
    assert [await ledger.find(name) is not None for name in "abc"] == [False, True, True]


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def size(path: Path) -> int:
    return path.stat().st_size


class TestFile:
    async def test_only_its_owner_reads_it(self, path: Path) -> None:
        path.parent.mkdir()
        os.close(os.open(path, os.O_CREAT, 0o644))
        await FileLedger(path).aclose()
        assert mode(path) == 0o600

    async def test_the_chain_goes_on_after_a_restart(self, path: Path) -> None:
        for name in "abc":
            ledger = FileLedger(path)
            await ledger.record({"id": name, "padding": "x" * 200_000})
            await ledger.aclose()
        verification = verify(path)
        assert (verification.intact, verification.entries) == (True, 3)
        assert [entry["id"] for entry in entries(path)] == ["a", "b", "c"]

    async def test_many_at_once_make_one_whole_chain(self, path: Path) -> None:
        ledger = FileLedger(path, fsync=Fsync.NEVER)
        await asyncio.gather(*(ledger.record({"id": str(n)}) for n in range(100)))
        await ledger.aclose()
        assert (verify(path).intact, verify(path).entries) == (True, 100)

    async def test_an_entry_that_has_begun_is_written_though_its_caller_is_cancelled(self, path: Path) -> None:
        ledger = FileLedger(path)
        tasks = [asyncio.create_task(ledger.record({"id": str(n)})) for n in range(5)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await ledger.record({"id": "last"})
        await ledger.aclose()
        assert (verify(path).intact, verify(path).entries) == (True, 6)

    async def test_a_second_writer_is_refused(self, path: Path) -> None:
        first = FileLedger(path)
        with pytest.raises(SettingsError, match="another gateway writes"):
            FileLedger(path)
        await first.aclose()
        await FileLedger(path).aclose()

    @pytest.mark.parametrize("cut", [1, 40], ids=["the newline", "some of the line"])
    async def test_a_torn_last_line_is_refused_with_what_to_do_and_doing_it_mends(self, path: Path, cut: int) -> None:
        ledger = FileLedger(path)
        await ledger.record({"id": "a"})
        whole = size(path)
        await ledger.record({"id": "b"})
        await ledger.aclose()
        os.truncate(path, size(path) - cut)
        with pytest.raises(SettingsError, match=f"truncate -s {whole} "):
            FileLedger(path)
        os.truncate(path, whole)
        ledger = FileLedger(path)
        await ledger.record({"id": "c"})
        await ledger.aclose()
        assert [entry["id"] for entry in entries(path)] == ["a", "c"]

    async def test_a_disk_that_is_full_leaves_the_file_as_it_was(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ledger = FileLedger(path, fsync=Fsync.NEVER)
        await ledger.record({"id": "a"})
        real, calls = os.write, iter([10, None])

        def full(file: int, data: bytes) -> int:
            room = next(calls)
            if room is None:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(file, data[:room])

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            with pytest.raises(LedgerError, match="No space left on device"):
                await ledger.record({"id": "b"})
        await ledger.record({"id": "c"})
        await ledger.aclose()
        assert [entry["id"] for entry in entries(path)] == ["a", "c"]

    async def test_a_file_that_something_else_changed_takes_no_more_entries(self, path: Path) -> None:
        ledger = FileLedger(path)
        await ledger.record({"id": "a"})
        with path.open("ab") as file:
            file.write(b"not ours\n")
        with pytest.raises(LedgerError, match="something else changed the file"):
            await ledger.record({"id": "b"})
        await ledger.aclose()
        broken = verify(path).broken
        assert broken is not None
        assert broken.line == 2
        with pytest.raises(LedgerError, match="line 2 is broken"):
            next(iter(entries(path)))

    async def test_nothing_is_written_once_it_is_closed(self, path: Path) -> None:
        ledger = FileLedger(path)
        await ledger.aclose()
        with pytest.raises(LedgerError, match="cannot be written"):
            await ledger.record({"id": "a"})

    async def test_a_path_that_cannot_be_opened_stops_the_start(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsError, match="audit_path"):
            FileLedger(tmp_path)

    async def test_a_file_that_was_taken_away_cannot_be_read(self, path: Path) -> None:
        ledger = FileLedger(path)
        await asyncio.to_thread(path.unlink)
        with pytest.raises(LedgerError, match="cannot be read"):
            verify(path)
        with pytest.raises(LedgerError, match="cannot be read"):
            await ledger.find("a")
        await ledger.aclose()
