"""What needs torch: run in the training environment, compared with llama.cpp here."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from service.domain.conversation import Message
from tests.needs import TRAINING, needs
from training import gguf
from training.chatml import REPLY, render
from training.dialogues import library
from training.dialogues.dialogue import Source
from training.dialogues.words import Split
from training.export import manifest
from training.llama import Llama

CHECKPOINT = Path("training/checkpoints/clinalign-demo")
PYTHON = Path(".venv-training/bin/python")
pytestmark = [
    pytest.mark.timeout(200),
    pytest.mark.training,
    needs(PYTHON.exists(), f"no .venv-training: {TRAINING}"),
    needs((CHECKPOINT / manifest.NAME).exists(), f"{CHECKPOINT} is not there"),
]


@pytest.fixture(scope="module")
def prompts() -> list[tuple[Message, ...]]:
    everything = library.load()
    source = Source(everything, library.queries(), 3, Split.HELD_OUT, everything.trained)
    return [source.dialogue(number).setting.prompt for number in range(4)]


@pytest.fixture(scope="module")
def probe(prompts: list[tuple[Message, ...]]) -> dict[str, Any]:
    conversations = [[{"role": m.role.value, "content": m.content} for m in prompt] for prompt in prompts]
    done = subprocess.run(
        [str(PYTHON), "-m", "training.supervised.probe", str(CHECKPOINT)],
        input=json.dumps(conversations),
        env={"PYTHONPATH": ".", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=190,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_packed_tree_is_read_as_its_paths_are(probe: dict[str, Any]) -> None:
    assert probe["segments"] > 5
    assert probe["difference"] < 1e-4


def test_trees_in_rows_teach_what_trees_end_to_end_do(probe: dict[str, Any]) -> None:
    assert probe["layouts_apart"] < 1e-3


def test_a_supervised_run_that_is_stopped_ends_with_the_weights_of_one_that_is_not(probe: dict[str, Any]) -> None:
    assert probe["resumed_same"] is True
    assert probe["resumed_steps"] == 4
    assert probe["resumed_tokens"] > 1000


def test_muons_steps_are_near_orthogonal(probe: dict[str, Any]) -> None:
    low, high = probe["singular_values"]
    assert 0.3 < low <= high < 1.7


def test_a_model_that_grew_says_what_the_edition_it_started_from_says(probe: dict[str, Any]) -> None:
    assert probe["growth"] < 1e-4


def test_transformers_renders_the_chat_template_as_training_does(
    probe: dict[str, Any], prompts: list[tuple[Message, ...]]
) -> None:
    assert probe["prompts"] == [render(prompt) + REPLY for prompt in prompts]


def test_llama_and_transformers_write_the_same_greedy_text(
    probe: dict[str, Any], prompts: list[tuple[Message, ...]], tmp_path: Path
) -> None:
    path = tmp_path / "model.gguf"
    gguf.write(CHECKPOINT, path)
    llama = Llama(path)
    same = [llama.reply(p, most=60) == said for p, said in zip(prompts, probe["replies"], strict=True)]
    # Rounding may turn a near tie, seldom.
    assert sum(same) >= len(same) - 1


def test_the_checkpoint_generates_with_its_cache(probe: dict[str, Any]) -> None:
    assert probe["use_cache"] is True
