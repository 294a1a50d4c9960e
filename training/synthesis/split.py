"""A synthesis' rows in; Parquet files of those to train on and those held out, as verl and OpenRLHF read them, out.

.venv-training/bin/python -m training.synthesis.split ROWS.jsonl FOLDER ONE_IN
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pyarrow import parquet

from training.align.row import is_held_out
from training.healthbench.records import lines

TRAIN: Final = "train.parquet"
HELD_OUT: Final = "held_out.parquet"
_BATCH: Final = 1024
_TURNS: Final = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))
_NAMES: Final = pa.list_(pa.string())
_EXTRA: Final = pa.struct(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("row", pa.int64()),
        ("scenario", _NAMES),
        ("principles", _NAMES),
        ("made_from", _NAMES),
        ("pass_rates", pa.list_(pa.float64())),
        ("left_out", _NAMES),
        *(
            (name, pa.string())
            for name in ("principles_digest", "prompt_digest", "pairs_digest", "writer", "sampler", "judge")
        ),
        ("prompt", _TURNS),
    ]
)
# Said here, and not read off the first rows: a list that is empty there would have no type.
SCHEMA: Final = pa.schema(
    [
        ("prompt", _TURNS),
        ("rubrics", pa.string()),
        ("data_source", pa.string()),
        ("reward_model", pa.struct([("style", pa.string()), ("ground_truth", pa.string())])),
        ("extra_info", _EXTRA),
        ("label", pa.string()),
    ]
)


def split(rows: Path, folder: Path, one_in: int) -> dict[str, int]:
    """Writes both files, each whole or not at all; how many rows each has. A row is held out as a run holds it out.

    Raises:
        BadRow: the file cannot be read, or a row is not a synthesis'.

    """
    folder.mkdir(parents=True, exist_ok=True)
    return {name: _write(folder / name, _part(rows, one_in, held_out=name == HELD_OUT)) for name in (TRAIN, HELD_OUT)}


def _part(rows: Path, one_in: int, *, held_out: bool) -> Iterator[dict[str, Any]]:
    for _, row in lines(rows):
        if is_held_out(row["extra_info"]["id"], one_in) is held_out:
            yield {**row, "label": _label(row)}


def _label(row: Mapping[str, Any]) -> str:
    """What OpenRLHF hands to its reward: the one column of a row that it knows there."""
    return json.dumps({"rubrics": row["rubrics"], "prompt": row["prompt"]}, ensure_ascii=False)


def _write(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    partial, count = path.with_name(f"{path.name}.partial"), 0
    with parquet.ParquetWriter(partial, SCHEMA, compression="zstd") as file:
        found = iter(rows)
        while batch := list(islice(found, _BATCH)):
            file.write_table(pa.Table.from_pylist(batch, schema=SCHEMA))
            count += len(batch)
    partial.replace(path)
    return count


def _main(words: Sequence[str]) -> None:
    rows, folder, one_in = words
    print(json.dumps(split(Path(rows), Path(folder), int(one_in))))


if __name__ == "__main__":
    _main(sys.argv[1:])
