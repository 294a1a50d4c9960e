"""Alignment over two sharded processes, by training/runs/fsdp.yaml: what one process makes, and the same again."""

import json
import math
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.needs import ALIGN, needs

PYTHON = Path(".venv-training/bin/python")
TRL = Path(".venv-training/lib/python3.11/site-packages/trl")
STAGES = ("sft", "dpo", "grpo")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),  # two processes wait for each other at every layer, and a busy machine for both
    pytest.mark.training,
    needs(TRL.exists(), f"no TRL in .venv-training: {ALIGN}"),
]


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    done = subprocess.run(
        [str(PYTHON), "-m", "training.align.shards", "dense"],
        env={"PYTHONPATH": ".", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    (told,) = json.loads(done.stdout.splitlines()[-1])
    assert told["sharded"], "of several processes that each hold all weights none of this is shown"
    return dict(told)


def test_two_sharded_processes_learn_what_one_does_from_the_same_batch(found: dict[str, Any]) -> None:
    assert found["sft_learnt"] > 1e-4, "without a gradient any two runs are the same"
    assert found["sft_differs_from_one_process_by"] < found["sft_learnt"] / 100


def test_each_stage_leaves_one_checkpoint_that_transformers_loads_whole(found: dict[str, Any]) -> None:
    assert found["loads_whole"] == dict.fromkeys(STAGES, True)


def test_a_second_run_ends_with_the_weights_of_the_first(found: dict[str, Any]) -> None:
    assert found["again_differs_by"] == dict.fromkeys(STAGES, 0.0)


def test_the_policy_is_first_held_against_itself(found: dict[str, Any]) -> None:
    assert found["first_dpo_loss"] == pytest.approx(math.log(2), abs=1e-4)
    assert found["first_grpo_kl"] == pytest.approx(0, abs=1e-6)
