"""Our multi-node run as verl itself reads it, and our reward as verl itself calls it."""

import json
import math
import os
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from aiohttp import web

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-training/bin/python"
VERL = ROOT / "build/verl"
INSTALLED = PYTHON.exists() and (VERL / ".installed").exists()
RUN = "training/runs/verl/clinalign-30b-a3b.yaml"
pytestmark = [
    pytest.mark.training,
    pytest.mark.timeout(600),  # it imports torch, transformers and Ray
    pytest.mark.skipif(not INSTALLED, reason="verl is not there: `make test-verl`"),
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
    path = {"PYTHONPATH": f"{ROOT}:{VERL}", "PATH": os.environ["PATH"], "HF_HUB_OFFLINE": "1"}
    done = await anyio.run_process(command, cwd=ROOT, env=path, check=False)
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["unknown"] == []
    assert (found["loss"], found["samples"], found["nodes"]) == ("gspo", 8, 4)
    assert found["clip"] == [3e-4, 4e-4]
    # Rests (7 of 10 points) and promises a cure (-5), calls nobody; far shorter than what costs.
    assert found["reward"]["reward_score"] == pytest.approx(0.2)
    assert found["reward"]["reward_extra_info"]["rubric"] == pytest.approx(0.2)
