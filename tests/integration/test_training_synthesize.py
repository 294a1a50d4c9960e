"""`clinalign train synthesize` as it is typed: files that are no batch's, and servers that do not answer."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from training.cli import commands

GONE = "http://127.0.0.1:9/v1"


@pytest.fixture(autouse=True)
def brief_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a server is asked again; how long they are is for tests of the client."""
    monkeypatch.setattr("training.models._FIRST_PAUSE_S", 0.01)


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    path = tmp_path / "q.jsonl"
    path.write_text('{"query": "May I fly with a cold?"}\n')
    return path


def _synthesize(queries: Path, *words: str) -> Result:
    out = queries.parent / "run"
    return CliRunner().invoke(commands, ["synthesize", str(queries), "--out", str(out), "--json", *words])


@pytest.mark.parametrize("count", [1, 40], ids=["one query", "more than are tried"])
def test_a_server_that_is_down_is_told_with_its_reason(queries: Path, count: int) -> None:
    queries.write_text("".join(json.dumps({"query": f"May I fly with {at} colds?"}) + "\n" for at in range(count)))
    done = _synthesize(queries, "--url", GONE, "--concurrency", "4")
    assert done.exit_code == 1
    assert f"calls failed: {GONE}: ClientConnectorError" in done.stderr
    assert ("so the rest was not asked" in done.stderr) is (count > 16)
    assert "colds" not in done.output


def test_a_file_that_is_no_batchs_output_is_refused_by_line_and_field(queries: Path) -> None:
    replies = queries.parent / "replies.jsonl"
    replies.write_text('{"custom_id": "request-1", "response": {"body": {"choices": []}}}\n')
    requests = ["--write-requests", str(queries.parent / "requests.jsonl"), "--read-replies", str(replies)]
    for _ in range(2):
        done = _synthesize(queries, *requests)
        assert done.exit_code == 0, done.output
        assert "0 replies taken; 0 had failed and are asked for again; 1 are foreign, of no query of q" in done.stderr
    replies.write_text('{"id": "request-1"}\n')
    done = _synthesize(queries, *requests)
    assert (done.exit_code, type(done.exception)) == (1, SystemExit)
    assert "replies.jsonl:1: field 'custom_id' is missing" in done.stderr
