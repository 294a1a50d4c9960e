"""A Parquet file in, its text a row at a time out; as lines of JSON where pyarrow is in another environment than ours.

.venv-training/bin/python -m training.synthesis.parquet FILE FIELD ...
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

_ROWS = 1024


def rows(path: Path, fields: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Each row's values of those fields that the file has, read row group by row group.

    Raises:
        OSError: the file is not Parquet, or cannot be read.

    """
    try:
        with parquet.ParquetFile(path) as file:
            known = [name for name in fields if name in file.schema_arrow.names]
            if not known:
                yield {}
                return
            for group in range(file.num_row_groups):
                for batch in file.iter_batches(_ROWS, row_groups=[group], columns=known, use_threads=False):
                    yield from batch.to_pylist()
    except pa.ArrowException as error:
        raise OSError(type(error).__name__) from error


def _not_text(_: object) -> None:
    """Bytes and dates have no JSON, and no query is one."""


if __name__ == "__main__":
    try:
        for row in rows(Path(sys.argv[1]), sys.argv[2:]):
            print(json.dumps(row, default=_not_text))
    except OSError as broken:
        sys.exit(str(broken))
