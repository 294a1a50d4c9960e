"""Rows as Parquet for verl and OpenRLHF, which pyarrow writes in the training environment."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.needs import ALIGN, needs
from tests.principles_fakes import small_store
from tests.rubric_model import batch_line
from training.align.row import is_held_out
from training.cli import commands
from training.environments import TRAINING
from training.models import Endpoint
from training.synthesis import command
from training.synthesis.queries import Query
from training.synthesis.run import Synthesis
from training.synthesis.steps import Plan
from training.synthesis.store import StoredPrinciples

INSTALLED = TRAINING.parents[1] / ".installed-align"
READER = """
import json, sys
from pyarrow import parquet
print(json.dumps({name: parquet.read_table(f"{sys.argv[1]}/{name}.parquet").to_pylist() for name in sys.argv[2:]}))
"""
pytestmark = [
    pytest.mark.training,
    needs(INSTALLED.exists(), f"no pyarrow in .venv-training: {ALIGN}"),
]


def _run(folder: Path, samples: int) -> Synthesis:
    endpoint = Endpoint("http://127.0.0.1:9/v1", "scripted")
    return Synthesis(
        folder / "run", StoredPrinciples(small_store(folder / "store")), Plan(endpoint, endpoint, endpoint, samples)
    )


@pytest.mark.parametrize("samples", [0, 2], ids=["lists that are all empty", "pass rates"])
def test_rows_come_back_from_parquet_as_they_are_split_as_a_run_splits_them(tmp_path: Path, samples: int) -> None:
    queries = [Query(f"q{at}", f"chest pain number {at}, ça va?", "own", at) for at in range(30)]
    run = _run(tmp_path, samples)
    while requests := list(run.open_requests(queries)):
        run.take([batch_line(request) for request in requests], queries)
    run.finish(queries)
    run.close()
    counts = command.write_parquet(run, tmp_path / "made", 4)
    words = [str(TRAINING), "-c", READER, str(tmp_path / "made"), "train", "held_out"]
    read: dict[str, list[dict[str, Any]]] = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
    rows = [json.loads(line) for line in (tmp_path / "run" / "rows.jsonl").read_text().splitlines()]
    assert counts == {"train.parquet": len(read["train"]), "held_out.parquet": len(read["held_out"])}
    for part, held_out in (("train", False), ("held_out", True)):
        wanted = [row for row in rows if is_held_out(row["extra_info"]["id"], 4) is held_out]
        assert len(wanted) > 2
        labels = [json.loads(row.pop("label")) for row in read[part]]
        assert read[part] == wanted
        assert labels == [{"rubrics": row["rubrics"], "prompt": row["prompt"]} for row in wanted]


def test_the_command_writes_them_and_says_how_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("encoder", "index"):
        monkeypatch.setenv(f"CLINALIGN_{name.upper()}_DIR", str(Path.cwd() / "build" / name))
    (tmp_path / "q.jsonl").write_text('{"query": "May I fly?"}\n')
    words = ["synthesize", str(tmp_path / "q.jsonl"), "--out", str(tmp_path / "run"), "--json"]
    batch = ["--write-requests", str(tmp_path / "requests.jsonl"), "--parquet", str(tmp_path / "made")]
    done = CliRunner().invoke(commands, [*words, *batch])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["parquet"] == {"train.parquet": 0, "held_out.parquet": 0}
    assert {path.name for path in (tmp_path / "made").iterdir()} == {"train.parquet", "held_out.parquet"}
