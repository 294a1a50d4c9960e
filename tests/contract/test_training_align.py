"""Alignment with TRL, in the training environment: killed and resumed, its weights are those of an undisturbed run."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

VARIANTS = ("dense", "dense-shared", "mixture")
PYTHON = Path(".venv-training/bin/python")
TRL = Path(".venv-training/lib/python3.11/site-packages/trl")
pytestmark = [
    pytest.mark.training,
    pytest.mark.skipif(not TRL.exists(), reason="no TRL in .venv-training: run `make install-align`"),
]


@pytest.fixture(scope="module")
def variants() -> dict[str, dict[str, Any]]:
    done = subprocess.run(
        [str(PYTHON), "-m", "training.align.kills", "--kills", "2", *VARIANTS],
        env={"PYTHONPATH": ".", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
        capture_output=True,
        text=True,
        check=False,
        timeout=115,
    )
    assert done.stdout, done.stderr[-2000:]
    return {each["variant"]: each for each in json.loads(done.stdout.splitlines()[-1])}


@pytest.mark.parametrize("variant", VARIANTS)
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
