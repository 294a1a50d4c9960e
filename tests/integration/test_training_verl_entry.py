"""The entries of verl and OpenRLHF hold one judge, its connections open, from answer to answer."""

import gc
import json
import os
from collections.abc import AsyncIterator

import anyio
import pytest

from tests.needs import ALIGN, needs
from tests.rubric_model import Served, served
from training.environments import ROOT, TRAINING
from training.reward import from_environment, verl_entry
from training.reward.judges import ServedJudge

INSTALLED = ROOT / ".venv-training" / ".installed-align"
RUBRIC = json.dumps([{"criterion": "Tells the dose.", "points": 5}, {"criterion": "Promises a cure.", "points": -5}])


@pytest.fixture
async def judge() -> AsyncIterator[Served]:
    async with served() as server:
        yield server


async def test_verls_entry_scores_answer_after_answer_with_one_judge(
    judge: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLINALIGN_REWARD_URL", judge.url)
    prompt = {"prompt": [{"role": "user", "content": "How much?"}], "num_turns": None}
    said = []
    for text in ("Two tablets.", "Three tablets.", "Two tablets."):
        gc.collect()
        said.append(await verl_entry.compute_score("clinalign", text, RUBRIC, prompt, reward_router_address=None))
    assert said[0] == said[2]
    assert set(said[0]) == {"score", "rubric", "length_penalty"}
    assert judge.asked == 4  # two verdicts of each text; the third text is the first
    held = from_environment.scorer().judge
    from_environment.scorer.cache_clear()
    assert isinstance(held, ServedJudge)
    await held.aclose()


# As OpenRLHF loads the file of `--reward.remote_url`, and calls it.
CALLER = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("reward_func", "training/reward/openrlhf_entry.py")
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
rubrics = sys.argv[1]
prompt = "<|im_start|>user\\nHow much?<|im_end|>\\n<|im_start|>assistant\\n"
label = json.dumps({"rubrics": rubrics, "prompt": [{"role": "user", "content": "How much?"}]})
tails = ("", "<|im_end|>", "<|im_end|><|endoftext|><|endoftext|>")
made = module.reward_func([prompt + "Two tablets." + tail for tail in tails], [prompt] * 3, [label] * 3)
print(json.dumps({name: made[name].tolist() for name in ("rewards", "scores")}))
"""


@pytest.mark.training
@pytest.mark.timeout(120)  # it imports torch
@needs(INSTALLED.exists(), f"no aiohttp in .venv-training: {ALIGN}")
async def test_openrlhfs_entry_scores_the_answer_without_what_ends_it(judge: Served) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "CLINALIGN_REWARD_URL": judge.url}
    done = await anyio.run_process([str(TRAINING), "-c", CALLER, RUBRIC], cwd=ROOT, env=environment, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert len(found["rewards"]) == 3
    assert len(set(found["rewards"])) == 1
    assert found["scores"] == found["rewards"]
    assert judge.asked == 2, "the three are one answer"
