"""What clusters run: our multi-node run as verl itself reads it, our reward as it calls it, a batch by Ray Data."""

import json
import math
import os
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from aiohttp import web

from tests.needs import needs
from tests.principles_fakes import small_store
from tests.rubric_model import reply, served
from training.models import Endpoint
from training.synthesis.queries import Query
from training.synthesis.run import Synthesis
from training.synthesis.steps import Plan
from training.synthesis.store import StoredPrinciples

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-training/bin/python"
VERL = ROOT / "build/verl"
INSTALLED = PYTHON.exists() and (VERL / ".installed").exists()
RUN = "training/runs/verl/clinalign-30b-a3b.yaml"
ENVIRONMENT = {
    "PYTHONPATH": f"{ROOT}:{VERL}",
    "PATH": os.environ["PATH"],
    "HF_HUB_OFFLINE": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}
pytestmark = [
    pytest.mark.training,
    pytest.mark.verl,
    pytest.mark.timeout(600),  # it imports torch, transformers and Ray
    needs(INSTALLED, "verl is not there: run `make test-verl`"),
]


@pytest.fixture
async def judge() -> AsyncIterator[str]:
    """Says Yes to resting and to promises, No to all else."""

    async def complete(request: web.Request) -> web.Response:
        asked = (await request.json())["messages"][-1]["content"]
        yes = 0.9 if "rest" in asked or "Promises" in asked else 0.1
        told = [{"token": "Yes", "logprob": math.log(yes)}, {"token": "No", "logprob": math.log(1 - yes)}]
        first = {**told[0], "top_logprobs": told}
        choice = {"message": {"content": "Yes"}, "finish_reason": "length", "logprobs": {"content": [first]}}
        return web.json_response({"choices": [choice]})

    app = web.Application()
    app.router.add_post("/v1/chat/completions", complete)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    await runner.cleanup()


async def test_verl_reads_the_run_and_its_reward_manager_gets_our_score(judge: str) -> None:
    command = [str(PYTHON), "-m", "training.verl_probe", RUN, "training/checkpoints/clinalign-demo", judge]
    done = await anyio.run_process(command, cwd=ROOT, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["unknown"] == []
    assert (found["loss"], found["samples"], found["nodes"]) == ("gspo", 8, 4)
    assert found["clip"] == [3e-4, 4e-4]
    # Rests (7 of 10 points) and promises a cure (-5), calls nobody; far shorter than what costs.
    assert found["reward"]["reward_score"] == pytest.approx(0.2)
    assert found["reward"]["reward_extra_info"]["rubric"] == pytest.approx(0.2)


async def test_ray_data_answers_a_batch_file_as_a_server_would(tmp_path: Path) -> None:
    store = StoredPrinciples(small_store(tmp_path / "store"))
    queries = [Query(f"q{at}", f"chest pain number {at}", "own", at) for at in range(5)]
    requests, replies = tmp_path / "requests.jsonl", tmp_path / "replies.jsonl"
    async with served() as server:
        endpoint = Endpoint(server.url, "scripted")
        run = Synthesis(tmp_path / "run", store, Plan(endpoint, endpoint, endpoint, samples=2))
        rows = list(run.open_requests(queries))
        requests.write_text("".join(json.dumps(row) + "\n" for row in rows))
        command = [str(PYTHON), "-m", "training.synthesis.ray_batch", str(requests), str(replies), "--url", server.url]
        done = await anyio.run_process([*command, "--at-once", "2"], cwd=ROOT, env=ENVIRONMENT, check=False)
        assert done.returncode == 0, done.stderr.decode()[-3000:]
    said = {row["custom_id"]: row for row in map(json.loads, replies.read_text().splitlines())}
    assert {name: said[name]["response"]["body"] for name in said} == {r["custom_id"]: reply(r["body"]) for r in rows}
    assert run.take(said.values(), queries) == (5, 0, 0)
    run.close()
