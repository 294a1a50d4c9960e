"""Queries from Parquet, which pyarrow reads in the training environment and hands over by a pipe."""

import importlib.util
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from tests.needs import ALIGN, needs
from training.environments import TRAINING
from training.synthesis import queries
from training.synthesis.queries import BadQueries, read

INSTALLED = TRAINING.parents[1] / ".installed-align"
ROWS = 3000
WRITER = f"""
import sys
import pyarrow as pa
from pyarrow import parquet
texts = ["May I fly?", "May  I fly?", "Is it flu? Ça va?", *(f"Question {{at}}?" for at in range({ROWS - 3}))]
gone = [*texts[:-1], None]
table = pa.table({{"question": pa.array(texts).dictionary_encode(), "gone": gone, "raw": [b"raw"] * {ROWS}}})
parquet.write_table(table, sys.argv[1], row_group_size=700, compression="zstd")
"""
READER = """
import sys
from pathlib import Path
from training.synthesis.queries import read
for query in read(Path(sys.argv[1])):
    print(query.row, query.id)
"""
pytestmark = [
    pytest.mark.training,
    needs(INSTALLED.exists(), f"no pyarrow in .venv-training: {ALIGN}"),
]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("parquet") / "q.parquet"
    _in_training(WRITER, place)
    return place


def _in_training(code: str, path: Path) -> str:
    command = [str(TRAINING), "-c", code, str(path)]
    return subprocess.run(command, env={"PYTHONPATH": "."}, capture_output=True, text=True, check=True).stdout


def test_every_query_comes_once_and_as_it_stands_in_the_file(path: Path) -> None:
    found = list(read(path))
    assert [(query.text, query.row) for query in found[:2]] == [("May I fly?", 1), ("Is it flu? Ça va?", 3)]
    assert [query.row for query in found] == [1, *range(3, ROWS + 1)]


def test_pyarrow_beside_us_reads_what_comes_by_the_pipe(path: Path) -> None:
    beside = _in_training(READER, path)
    assert beside.splitlines() == [f"{query.row} {query.id}" for query in read(path)]


def test_who_has_had_enough_may_stop(path: Path) -> None:
    assert len(list(islice(read(path), 5))) == 5


@pytest.mark.parametrize(
    ("field", "said"),
    [("nothing", "row 1: no text under `nothing`"), ("raw", "row 1: no text"), ("gone", f"row {ROWS}: no text")],
)
def test_a_row_without_text_is_named(path: Path, field: str, said: str) -> None:
    with pytest.raises(BadQueries, match=said):
        list(read(path, field=field))


def test_a_file_that_is_no_parquet_is_named(tmp_path: Path) -> None:
    (tmp_path / "q.parquet").write_text("private words")
    with pytest.raises(BadQueries, match=r"q\.parquet: cannot be read \(ArrowInvalid\)$"):
        list(read(tmp_path / "q.parquet"))


def test_a_file_that_is_broken_inside_is_no_shorter_file(path: Path, tmp_path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 4 : len(content) // 2] = bytes(len(content) // 2 - len(content) // 4)
    (tmp_path / "q.parquet").write_bytes(content)
    with pytest.raises(BadQueries, match="cannot be read"):
        list(read(tmp_path / "q.parquet"))


@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is not None, reason="pyarrow is beside us")
@pytest.mark.parametrize("python", [Path(sys.executable), Path("nowhere/python")], ids=["without pyarrow", "not there"])
def test_without_pyarrow_it_says_what_to_install(path: Path, python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "TRAINING", python)
    with pytest.raises(BadQueries, match="make install-align"):
        list(read(path))
