"""`clinalign train synthesize` as it is typed: files that are no batch's, and servers that do not answer."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from training.cli import commands
from training.synthesis.run import Prices

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


def test_a_file_without_a_query_is_refused(queries: Path) -> None:
    queries.write_text("\n")
    done = _synthesize(queries, "--write-requests", str(queries.parent / "requests.jsonl"))
    assert done.exit_code == 2
    assert "q.jsonl: no queries" in done.stderr


def _replied(queries: Path, folder: Path) -> list[str]:
    """A run's folder with a reply to each stage; the words that go on from it, asking nobody."""
    rounds = ["--write-requests", str(folder / "requests.jsonl"), "--judge", "another", "--samples", "1"]
    _synthesize(queries, *rounds)
    name = json.loads((folder / "requests.jsonl").read_text())["custom_id"].split("/")[0]
    usage = {"prompt_tokens": 1_000_000, "completion_tokens": 100_000}
    with (folder / "run" / "replies.jsonl").open("a") as journal:
        for stage in ("rubric/0", "pairs/0/0", "sample/0", "verdict/0/0"):
            journal.write(json.dumps({"key": f"{name}/{stage}", "choices": [], "usage": usage}) + "\n")
    return rounds


@pytest.mark.parametrize(
    ("judged", "cost"),
    [([], 3 * 3.0), (["--judge-prompt-price", "0.5", "--judge-completion-price", "2"], 3 * 3.0 + 0.7)],
    ids=["not said", "said"],
)
def test_verdicts_are_charged_at_the_judges_prices(queries: Path, judged: list[str], cost: float) -> None:
    rounds = _replied(queries, queries.parent)
    done = _synthesize(queries, *rounds, "--prompt-price", "2", "--completion-price", "10", *judged)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["cost"] == pytest.approx(cost)


def test_a_judges_price_that_is_not_said_is_the_writers_where_both_are_one() -> None:
    assert Prices.given(2.0, 10.0, None, None, same_judge=True) == Prices(2.0, 10.0, 2.0, 10.0)
    assert Prices.given(2.0, 10.0, 0.0, None, same_judge=True) == Prices(2.0, 10.0, 0.0, 10.0)


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
