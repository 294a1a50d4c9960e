"""The first step of a whole run over HTTP: queries that got no reply are asked again, and no rows are no data."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.rubric_model import Served, served
from training.align.config import AlignConfig, Synthesis, read
from training.align.whole import StepFailed, synthesised

RUN = '[run]\nname = "r"\nseed = 1\nbase = "b"\nstages = ["grpo"]\n[synthesis]\nqueries = "q.jsonl"\nsamples = 2\n'
ASKED = ("May I fly with a cold?", "Which dose of paracetamol?", "Write a referral letter.", "What is a stroke?")


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
    with pytest.raises(StepFailed, match="queries have no reply"):
        await asyncio.to_thread(synthesised, config, _settings(config, server.url), server.url)
    assert (config.synthesised / "rows.jsonl").exists(), "the rows so far are there, and must not end the asking"
    server.refuse_from = None
    made = await asyncio.to_thread(synthesised, config, _settings(config, server.url), server.url)
    assert 0 < made == len((config.synthesised / "rows.jsonl").read_text().splitlines())
    asked = server.asked
    assert await asyncio.to_thread(synthesised, config, _settings(config, server.url), server.url) == made
    assert server.asked == asked, "a finished query costs nothing"


async def test_a_synthesis_without_a_row_stops_the_run(config: AlignConfig, server: Served) -> None:
    server.only = "Nothing that is a rubric."
    with pytest.raises(StepFailed, match=r"q\.jsonl made no row \(4 unreadable\)"):
        await asyncio.to_thread(synthesised, config, _settings(config, server.url), server.url)
