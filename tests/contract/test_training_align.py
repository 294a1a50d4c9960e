"""Alignment with TRL, in the training environment: killed and resumed, its weights are those of an undisturbed run."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.needs import ALIGN, needs

# Each optimiser's loss: Dr. GRPO, whose prompts may be computed once, DAPO, and GSPO for a mixture of experts.
KILLED = ("dense-shared", "mixture")
UNDISTURBED = ("dense", "dapo")
VARIANTS = (*KILLED, *UNDISTURBED)
PYTHON = Path(".venv-training/bin/python")
TRL = Path(".venv-training/lib/python3.11/site-packages/trl")
RUNS = sorted(str(path) for path in Path("training/runs").glob("*.toml") if "stages" in path.read_text())
# What sharing prompts does not do, each on top of what the demonstration's run says; that alone is fine.
UNSHARED: list[dict[str, Any]] = [
    {},
    {"top_p": 0.9},
    {"top_k": 20},
    {"min_p": 0.1},
    {"repetition_penalty": 1.2},
    {"gradient_checkpointing": True},
    {"gradient_accumulation_steps": 2},
    {"steps_per_generation": 2},
]
# Of each four samples of a prompt, whether the judge reads them, and what it says.
VERDICTS = (None, True, False, True, None, None, None, None)
CHECKED = ["", "max_step = 3", "num_generations = 3", "reward_weights = [1.0, 0.2]"]
# One process for all: to import TRL takes longer than most of what is asked of it.
ASKED = f"""
import json, logging, runpy, sys, tempfile
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from accelerate.commands.config.config_args import load_config_from_file
from transformers import AutoModelForCausalLM, AutoTokenizer
from service.domain.conversation import Message, Role
from training.align import kills
from training.align.config import BadRun, read
from training.align.optimisers import arguments, check_shared, grpo
from training.align.row import Row
from training.reward.rubric import Item, Rubric
from training.reward.scorer import Reward
def alone(**options):
    "Whether prompts may be shared with these options of GRPO: what is wrong, or nothing."
    run = read(Path("training/runs/demo.toml"))
    (stage,) = (stage for stage in run.stages if stage.kind == "grpo")
    try:
        check_shared(arguments(run, replace(stage, options={{**stage.options, **options}})))
    except BadRun as error:
        return str(error)
    return ""
for options in {UNSHARED}:
    print(json.dumps({{"options": options, "refused": alone(**options)}}))
for path in {RUNS}:
    config = read(Path(path))
    for stage in [stage for stage in config.stages if stage.kind != "dialogues"]:
        made = arguments(config, stage, mixture="a3b" in path)
        importance = getattr(made, "importance_sampling_level", None)
        print(json.dumps({{"kind": stage.kind, "loss": made.loss_type, "importance": importance}}))
class Outage:
    "A judge whose verdicts on the samples in their order are these; None where it failed."
    name = "outage"
    def __init__(self, verdicts):
        self.verdicts = verdicts
    async def score(self, prompt, answer, rubric):
        verdict = self.verdicts.pop(0)
        return None if verdict is None else Reward(float(verdict), 0.0)
def advantages():
    "What TRL makes of its rewards."
    with tempfile.TemporaryDirectory() as scratch:
        kills.tiny(Path(scratch, "base"), mixture=False, seed=1)
        return learnt(scratch)
def learnt(scratch):
    with chdir(scratch):
        toml = kills._TOML.format(seed=1, steps=1, lora="", shared="false", loss="")
        toml = toml.replace("batch_size = 4", "batch_size = 8").replace("num_generations = 2", "num_generations = 4")
        Path("run.toml").write_text(toml)
        run = read(Path("run.toml"))
        def row(number):
            return Row(f"r{{number}}", (Message(Role.USER, f"Question {{number}}?"),), Rubric((Item("c", 1.0),)))
        model = AutoModelForCausalLM.from_pretrained("base")
        tokenizer = AutoTokenizer.from_pretrained("base")
        told = []
        handler = logging.Handler()
        handler.emit = lambda record: told.append(record.getMessage())
        logging.getLogger("trl.trainer.grpo_trainer").addHandler(handler)
        trainer = grpo(run, run.stages[0], model, tokenizer, [row(0), row(1)], Outage(list({VERDICTS})))
        batch = next(iter(trainer.get_train_dataloader()))
        trainer.model.train()
        made = trainer._generate_and_score_completions(batch)
        forms = trainer._metrics["train"]["rewards/form/mean"]
        return {{"told": told, "advantages": made["advantages"].tolist(), "forms": forms}}
print(json.dumps(advantages()), flush=True)
def checked(line):
    "What `training.align.run --check` ends with, of a run with these options of GRPO."
    with tempfile.TemporaryDirectory() as scratch:
        toml = Path(scratch, "run.toml")
        text = kills._TOML.format(seed=1, steps=1, lora="", shared="false", loss=line)
        toml.write_text(text.replace("num_generations = 2\\n", "") if "generations" in line else text)
        sys.argv[1:], given = ["--check", str(toml)], sys.argv[1:]
        try:
            runpy.run_module("training.align.run", run_name="__main__", alter_sys=True)
        except SystemExit as end:
            return str(end).replace(str(toml), "TOML")
        finally:
            sys.argv[1:] = given
    return ""
for line in {CHECKED}:
    print(json.dumps({{"line": line, "checked": checked(line)}}), flush=True)
sharded = load_config_from_file("training/runs/fsdp.yaml")
print(json.dumps({{"processes": sharded.num_processes, "type": sharded.distributed_type.value}}), flush=True)
runpy.run_module("training.align.kills", run_name="__main__", alter_sys=True)
"""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),  # one process for all of them, on whatever cores are left
    pytest.mark.training,
    needs(TRL.exists(), f"no TRL in .venv-training: {ALIGN}"),
]


@pytest.fixture(scope="module")
def told() -> list[Any]:
    """A line for each stage of each run that is shipped, one for accelerate's settings, and one for all variants."""
    variants = [*KILLED, *(f"{name}:0" for name in UNDISTURBED)]
    done = subprocess.run(
        [str(PYTHON), "-c", ASKED, "--kills", "2", *variants],
        env={"PYTHONPATH": ".", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"},
        capture_output=True,
        text=True,
        check=False,
        timeout=290,
    )
    assert done.stdout.rstrip().endswith("]"), done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith(("{", "["))]


@pytest.fixture
def variants(told: list[Any]) -> dict[str, dict[str, Any]]:
    assert isinstance(told[-1], list), told[-1]
    return {each["variant"]: each for each in told[-1]}


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


@pytest.mark.parametrize("variant", VARIANTS)
def test_in_mixed_precision_they_are_near_those_of_whole_precision_and_not_the_same(
    variants: dict[str, dict[str, Any]], variant: str
) -> None:
    assert 1e-4 < variants[variant]["sharing_in_bfloat16_differs_by"] < 0.05


@pytest.mark.parametrize("options", UNSHARED, ids=lambda options: next(iter(options), "none"))
def test_what_shared_prompts_do_not_do_is_refused_by_its_name(told: list[Any], options: dict[str, Any]) -> None:
    (row,) = (row for row in told if isinstance(row, dict) and row.get("options") == options)
    assert bool(row["refused"]) is bool(options)
    assert all(name in row["refused"] or name == "steps_per_generation" for name in options)


def test_prompts_computed_once_give_the_gradient_of_trls_own_passes(variants: dict[str, dict[str, Any]]) -> None:
    gradients = [variants[name]["first_gradient"] for name in ("dense", "dense-shared")]
    assert gradients[0] == pytest.approx(gradients[1], rel=1e-3)


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_loss_has_a_gradient_and_moves_the_weights(variants: dict[str, dict[str, Any]], variant: str) -> None:
    assert variants[variant]["learnt"]
    assert 0 < variants[variant]["first_gradient"] < 1e3


def test_dapo_weighs_rewards_by_their_spread_where_dr_grpo_does_not(variants: dict[str, dict[str, Any]]) -> None:
    assert variants["dapo"]["first_gradient"] != pytest.approx(variants["dense"]["first_gradient"], rel=1e-3)


def test_trl_and_accelerate_take_the_settings_of_every_run_that_is_shipped(told: list[Any]) -> None:
    *rows, sharded, _ = told
    stages = [row for row in rows if "kind" in row]
    assert len(stages) > len(RUNS) > 3
    assert {each["loss"] for each in stages if each["kind"] == "grpo"} == {"dr_grpo", "grpo"}
    assert [each["importance"] for each in stages if each["loss"] == "grpo"] == ["sequence"]
    assert sharded == {"processes": 4, "type": "FSDP"}


def test_a_failed_judge_gives_no_advantage_whatever_the_form_of_the_answer(told: list[Any]) -> None:
    (row,) = (row for row in told if isinstance(row, dict) and "advantages" in row)
    advantages = row["advantages"]
    assert [value == 0 for value in advantages] == [verdict is None for verdict in VERDICTS]
    assert sum(advantages) == pytest.approx(0, abs=1e-6)
    assert [value > 0 for value in advantages[1:4]] == [True, False, True]
    assert len(row["forms"]) == 1
    assert row["told"] == [], "TRL's warning holds the prompt and the reply"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (CHECKED[0], "^$"),
        (CHECKED[1], r"^TOML: \[grpo\] max_step is no option of TRL's GRPOConfig; did you mean max_steps\?$"),
        (CHECKED[2], r"^TOML: \[grpo\] .*divisible"),
        (CHECKED[3], r"^TOML: \[grpo\] reward_weights: .* \[reward\] form_weight$"),
    ],
    ids=["fine", "unknown", "apart", "elsewhere"],
)
def test_options_are_checked_by_themselves_in_one_line(told: list[Any], line: str, said: str) -> None:
    (row,) = (row for row in told if isinstance(row, dict) and row.get("line") == line)
    assert re.search(said, row["checked"]), row["checked"]
