"""A whole run over HTTP: waiting queries are asked again, no rows are no data, and a gate by URL goes on."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.rubric_model import Served, served
from training.align.config import AlignConfig, BadRun, Synthesis, read
from training.align.needs import need_all
from training.align.rows import load
from training.align.whole import StepFailed, gated, synthesised
from training.export import provenance
from training.gate.decision import Guard
from training.gate.report import Report
from training.reward.rubric import Item, Rubric, row

RUN = '[run]\nname = "r"\nseed = 1\nbase = "b"\nstages = ["grpo"]\n[synthesis]\nqueries = "q.jsonl"\nsamples = 2\n'
ASKED = ("May I fly with a cold?", "Which dose of paracetamol?", "Write a referral letter.", "What is a stroke?")


@pytest.fixture(autouse=True)
def brief_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a server is asked again; how long they are is for tests of the client."""
    monkeypatch.setattr("training.models._FIRST_PAUSE_S", 0.01)


@pytest.fixture
async def server() -> AsyncIterator[Served]:
    async with served() as found:
        yield found


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AlignConfig:
    root = Path.cwd()
    for name in ("encoder", "index"):
        monkeypatch.setenv(f"CLINALIGN_{name.upper()}_DIR", str(root / "build" / name))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.toml").write_text(RUN)
    (tmp_path / "q.jsonl").write_text("".join(json.dumps({"query": text}) + "\n" for text in ASKED))
    return read(tmp_path / "run.toml")


def _settings(config: AlignConfig, url: str) -> Synthesis:
    assert config.synthesis is not None
    return replace(config.synthesis, url=url)


async def test_queries_that_wait_stop_the_run_and_are_asked_at_the_next_start(
    config: AlignConfig, server: Served
) -> None:
    server.refuse_from = 5
    with pytest.raises(StepFailed, match=r"queries have no reply .*calls failed: .*: status 403"):
        await asyncio.to_thread(synthesised, config, _settings(config, server.url), server.url)
    assert (config.synthesised / "rows.jsonl").exists(), "the rows so far are there, and must not end the asking"
    server.refuse_from = None
    made = await asyncio.to_thread(synthesised, config, _settings(config, server.url), server.url)
    assert 0 < made == len((config.synthesised / "rows.jsonl").read_text().splitlines())
    asked = server.asked
    priced = replace(_settings(config, server.url), prompt_price=2.0, judge_prompt_price=1.0)
    assert await asyncio.to_thread(synthesised, config, priced, server.url) == made
    told = json.loads((config.synthesised / "report.json").read_text())
    prompts = {stage: tokens["prompt"] for stage, tokens in told["tokens"].items()}
    assert told["cost"] == round((2.0 * sum(prompts.values()) - prompts["verdict"]) / 1e6, 4) > 0
    assert server.asked == asked, "a finished query costs nothing"


async def test_a_synthesis_without_a_row_stops_the_run(config: AlignConfig, server: Served) -> None:
    server.only = "Nothing that is a rubric."
    with pytest.raises(StepFailed, match=r"q\.jsonl made no row \(4 unreadable\)"):
        await asyncio.to_thread(synthesised, config, _settings(config, server.url), server.url)


BY_URL = """
[run]
name = "r"
seed = 1
base = "big"
stages = ["grpo"]
[data]
rows = "rows.jsonl"
held_out_one_in = 3
[reward]
url = "http://127.0.0.1:9/v1"
[gate]
dialogues = 2
concurrency = 4
candidate_url = "{url}"
incumbent_url = "{url}"
judge_url = "{url}"
judge_model = "judge"
"""


@pytest.fixture
def big(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Served) -> AlignConfig:
    """A run from a base that is not of our form, and what it made."""
    monkeypatch.chdir(tmp_path)
    for folder in ("big", "made"):
        Path(folder).mkdir()
        Path(folder, "config.json").write_text("{}")
        Path(folder, "model.safetensors").write_text(folder)
    rubric = Rubric((Item("Names the dose.", 5), Item("Warns of nothing.", 3)))
    rows = [row([{"role": "user", "content": f"Q{at}?"}], rubric, extra={"id": f"r{at}"}) for at in range(30)]
    Path("rows.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    Path("run.toml").write_text(BY_URL.format(url=server.url))
    return read(Path("run.toml"))


async def test_a_gate_by_url_holds_two_servers_against_each_other_on_the_runs_own_rows(
    big: AlignConfig, server: Served
) -> None:
    need_all(big)
    failed = await asyncio.to_thread(gated, big, Path("made"))
    report = Report.read(big.folder / "gate" / "gate.json")
    held_out = {row.id for row in load(big).held_out}
    assert report.candidate.answers.keys() == report.incumbent.answers.keys() == held_out
    assert len(held_out) > 3
    assert all(report.candidate.guards[guard] for guard in Guard)
    assert report.candidate.checkpoint == f"r-{provenance.weights(Path('made'))[:12]}"
    assert set(failed) <= {"rubric", "not_by_length", *Guard}
    assert "rubric" in failed, "two servers that say the same by chance alone are no gain"
    asked = server.asked
    assert await asyncio.to_thread(gated, big, Path("made")) == failed
    assert server.asked == asked, "what was said is kept"


async def test_a_gate_whose_server_is_gone_says_what_to_serve_and_goes_on(big: AlignConfig, server: Served) -> None:
    server.refuse_from = 30
    with pytest.raises(StepFailed, match=r"vllm serve made --served-model-name r-[0-9a-f]{12}"):
        await asyncio.to_thread(gated, big, Path("made"))
    kept = [path for path in (big.folder / "gate").glob("replies-*.jsonl") if path.stat().st_size]
    assert kept
    server.refuse_from = None
    await asyncio.to_thread(gated, big, Path("made"))
    assert (big.folder / "gate" / "gate.html").exists()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"judge_url": ""}, "name all three, or none"),
        ({"judge_url": "http://127.0.0.1:9/v1", "judge_model": "default"}, "the judge gives the reward"),
        ({"candidate_url": "", "incumbent_url": "", "judge_url": ""}, r"big has not the small form.*evaluate healthb"),
    ],
    ids=["a server missing", "the reward's judge", "nothing to gate by"],
)
def test_a_gate_that_could_not_be_held_is_refused_before_the_first_step(
    big: AlignConfig, changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadRun, match=said):
        need_all(replace(big, gate=replace(big.gate, **changed)))
