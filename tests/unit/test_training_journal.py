"""A journal loses nothing that was written whole, doubles nothing, and forgets what a kill cut in half."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.journal import Journal, JournalBroken, finished


@settings(deadline=None)  # it writes to a disk that others write to
@given(
    rows=st.dictionaries(st.text(min_size=1), st.dictionaries(st.text(), st.text()), max_size=8),
    cut=st.integers(0, 400),
)
def test_whatever_byte_a_kill_came_at_whole_rows_are_there(
    tmp_path_factory: pytest.TempPathFactory, rows: dict[str, dict[str, str]], cut: int
) -> None:
    path = tmp_path_factory.mktemp("journal") / "rows.jsonl"
    with Journal(path) as journal:
        for key, row in rows.items():
            journal.append(key, {"row": row})
    content = path.read_bytes()
    path.write_bytes(content[: len(content) - cut] if cut < len(content) else b"")
    whole = path.read_bytes().count(b"\n")
    with Journal(path) as journal:
        assert list(journal) == list(rows)[:whole]
        for key, row in rows.items():
            if key not in journal:
                journal.append(key, {"row": row})
    assert [json.loads(line)["row"] for line in path.read_bytes().splitlines()] == list(rows.values())


def test_a_key_is_written_once(tmp_path: Path) -> None:
    with Journal(tmp_path / "rows.jsonl") as journal:
        journal.append("a", {"row": 1})
        with pytest.raises(ValueError, match="a was written before"):
            journal.append("a", {"row": 2})


def test_half_a_character_is_written_and_read_again(tmp_path: Path) -> None:
    row = {"said": "caf\u00e9 \ud83d", "n\udc00": [True, None]}
    with Journal(tmp_path / "rows.jsonl") as journal:
        journal.append("a", row)
    assert finished(tmp_path / "rows.jsonl")["a"] == {"key": "a", **row}
    assert "caf\u00e9 \\ud83d" in (tmp_path / "rows.jsonl").read_text(encoding="utf-8")


def test_two_runs_do_not_write_one_journal(tmp_path: Path) -> None:
    with Journal(tmp_path / "rows.jsonl"), pytest.raises(JournalBroken, match="another run writes here"):
        Journal(tmp_path / "rows.jsonl")


def test_a_line_that_is_no_row_is_named(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"key": "a"}\nnonsense\n{"key": "b"}\n')
    with pytest.raises(JournalBroken, match="line 2 is no row"):
        Journal(tmp_path / "rows.jsonl")


def test_a_finished_journal_has_as_many_readers_as_like(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with Journal(path) as journal:
        journal.append("a", {"said": 1})
    assert finished(path) == finished(path) == {"a": {"key": "a", "said": 1}}
    path.write_text("nonsense\n")
    with pytest.raises(JournalBroken, match="line 1 is no row"):
        finished(path)


_WRITER = """
import sys
from pathlib import Path
from training.journal import Journal
with Journal(Path(sys.argv[1])) as journal:
    for at in range(300):
        if str(at) not in journal:
            journal.append(str(at), {"text": "word " * 200})
"""


def test_ten_kills_lose_and_double_no_row(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    for _ in range(10):
        before = path.stat().st_size if path.exists() else 0
        writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], cwd=Path.cwd())
        while writer.poll() is None and (not path.exists() or path.stat().st_size <= before):
            time.sleep(0.002)
        os.kill(writer.pid, signal.SIGKILL) if writer.poll() is None else None
        writer.wait()
    subprocess.run([sys.executable, "-c", _WRITER, str(path)], check=True)
    keys = [json.loads(line)["key"] for line in path.read_bytes().splitlines()]
    assert keys == [str(at) for at in range(300)]
