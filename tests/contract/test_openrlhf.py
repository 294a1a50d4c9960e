"""OpenRLHF's own code over our Parquet rows and our reward: what it reads and calls, and makes of a failure."""

import json
import os
import re
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.needs import needs
from tests.principles_fakes import small_store
from tests.rubric_model import batch_line, served
from training.models import Endpoint
from training.reward.adapters import messages
from training.reward.judges import ServedJudge
from training.reward.rubric import Rubric
from training.reward.scorer import Scorer
from training.synthesis import command
from training.synthesis.queries import Query
from training.synthesis.run import Synthesis
from training.synthesis.steps import Plan
from training.synthesis.store import StoredPrinciples

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-training/bin/python"
BESIDE = ROOT / "build/verl"
pytestmark = [
    pytest.mark.training,
    pytest.mark.verl,
    pytest.mark.timeout(600),  # it imports torch and transformers
    needs(PYTHON.exists() and (BESIDE / "openrlhf").exists(), "OpenRLHF is not there: run `make test-verl`"),
]


def _rows(folder: Path) -> Path:
    """Rows of a synthesis, as its command writes them."""
    queries = [Query(f"q{at}", f"chest pain number {at}, ça va?", "own", at) for at in range(30)]
    endpoint = Endpoint("http://127.0.0.1:9/v1", "scripted")
    run = Synthesis(
        folder / "run", StoredPrinciples(small_store(folder / "store")), Plan(endpoint, endpoint, endpoint, 0)
    )
    while requests := list(run.open_requests(queries)):
        run.take([batch_line(request) for request in requests], queries)
    run.finish(queries)
    run.close()
    command.write_parquet(run, folder / "made", 4)
    return folder / "made" / "train.parquet"


async def test_openrlhf_reads_our_rows_and_gets_our_scores(tmp_path: Path) -> None:
    rows = await anyio.to_thread.run_sync(_rows, tmp_path)
    async with served() as judge:
        environment = {
            "PYTHONPATH": f"{ROOT}:{BESIDE}",
            "PATH": os.environ["PATH"],
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(tmp_path),
            "CLINALIGN_REWARD_URL": judge.url,
        }
        words = [str(PYTHON), "-m", "training.openrlhf_probe", str(rows), "training/checkpoints/clinalign-demo"]
        done = await anyio.run_process(words, cwd=ROOT, env=environment, check=False)
        assert done.returncode == 0, done.stderr.decode()[-3000:]
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        ours = ServedJudge(Endpoint(judge.url, "default"))
        scorer = Scorer(ours)
        expected = []
        for label in map(json.loads, found["labels"]):
            reward = await scorer.score(
                messages(label["prompt"]), "Rest and drink.", Rubric.from_json(label["rubrics"])
            )
            assert reward is not None
            expected.append(reward.value)
        await ours.aclose()
    assert len(expected) > 10
    assert len(set(expected)) > 3
    assert found["rewards"] == pytest.approx(expected)
    assert [max(-1.0, value) for value in found["rubrics"]] == found["rewards"]
    assert found["scorers"] == 1, "each would have a cache and a limit of its own"
    assert found["reward_of_a_cut_prompt"] is None, "its answer would be told from its prompt at the wrong place"
    told = (ROOT / "training/runs/README.md").read_text().partition("OpenRLHF with")[2].partition("```")[0]
    named = re.findall(r"--[a-z_.]+", told.partition("\n\n")[0])
    assert len(named) == 5
    assert [name for name in named if f'"{name}"' not in found["options"]] == []
