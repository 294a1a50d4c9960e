"""Alignment with TRL, in the training environment: killed and resumed, its weights are those of an undisturbed run."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

# Each optimiser's loss: Dr. GRPO, whose prompts may be computed once, DAPO, and GSPO for a mixture of experts.
KILLED = ("dense-shared", "mixture")
UNDISTURBED = ("dense", "dapo")
VARIANTS = (*KILLED, *UNDISTURBED)
PYTHON = Path(".venv-training/bin/python")
TRL = Path(".venv-training/lib/python3.11/site-packages/trl")
pytestmark = [
    pytest.mark.training,
    pytest.mark.skipif(not TRL.exists(), reason="no TRL in .venv-training: run `make install-align`"),
]


@pytest.fixture(scope="module")
def variants() -> dict[str, dict[str, Any]]:
    done = subprocess.run(
        [str(PYTHON), "-m", "training.align.kills", "--kills", "2", *KILLED, *(f"{name}:0" for name in UNDISTURBED)],
        env={"PYTHONPATH": ".", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
        capture_output=True,
        text=True,
        check=False,
        timeout=115,
    )
    assert done.stdout, done.stderr[-2000:]
    return {each["variant"]: each for each in json.loads(done.stdout.splitlines()[-1])}


@pytest.mark.parametrize("variant", KILLED)
def test_grpo_killed_twice_ends_with_the_weights_of_an_undisturbed_run(
    variants: dict[str, dict[str, Any]], variant: str
) -> None:
    found = variants[variant]
    assert found["learnt"], "without a gradient any two runs are the same"
    assert found["killed"] == found["whole"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_prompts_computed_once_give_the_log_probabilities_of_plain_passes(
    variants: dict[str, dict[str, Any]], variant: str
) -> None:
    assert variants[variant]["sharing_differs_by"] < 1e-4


def test_prompts_computed_once_give_the_gradient_of_trls_own_passes(variants: dict[str, dict[str, Any]]) -> None:
    gradients = [variants[name]["first_gradient"] for name in ("dense", "dense-shared")]
    assert gradients[0] == pytest.approx(gradients[1], rel=1e-3)


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_loss_has_a_gradient_and_moves_the_weights(variants: dict[str, dict[str, Any]], variant: str) -> None:
    assert variants[variant]["learnt"]
    assert 0 < variants[variant]["first_gradient"] < 1e3


def test_dapo_weighs_rewards_by_their_spread_where_dr_grpo_does_not(variants: dict[str, dict[str, Any]]) -> None:
    assert variants["dapo"]["first_gradient"] != pytest.approx(variants["dense"]["first_gradient"], rel=1e-3)
