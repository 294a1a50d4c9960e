"""A run's folder, in the training environment: facts of its first start, and a tally of all its processes."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.needs import ALIGN, needs

PYTHON = Path(".venv-training/bin/python")
TRL = Path(".venv-training/lib/python3.11/site-packages/trl")
RUN = """
[run]
name = "r"
seed = 1
base = "base"
stages = ["sft"]
[data]
rows = "rows.jsonl"
[rollouts]
samples = 2
max_tokens = 4
"""
# One process for all: to import transformers takes longer than all that is asked of it.
ASKED = f"""
import io, json, sys, tempfile
from contextlib import chdir, redirect_stderr
from pathlib import Path
import torch
from training.align.config import BadRun, read
from training.align.folder import _last_state, claimed, note, noted
from training.align.kills import Coin, tiny
from training.align.rows import load
from training.align.run import rolled_out
from training.align.tally import KeptTally
from training.align.writers import Writer, device, precision
from training.reward.rubric import Item, Rubric, row
from training.reward.scorer import Scorer

def refused(config):
    try:
        claimed(config)
    except BadRun as error:
        return str(error)

told = {{}}
made = Path(tempfile.mkdtemp())
tiny(made / "base", mixture=False, seed=1)
with chdir(made):
    prompts = [[{{"role": "user", "content": f"Q{{at}}?"}}] for at in range(4)]
    rubric = Rubric((Item("a", 1),))
    rows = [row(prompt, rubric, extra={{"id": f"r{{at}}"}}) for at, prompt in enumerate(prompts)]
    data = "".join(json.dumps(one) + "\\n" for one in rows)
    Path("rows.jsonl").write_text(data)
    Path("run.toml").write_text({RUN!r})
    config = read(Path("run.toml"))
    folder = claimed(config)
    facts = json.loads((folder / "run.json").read_text())
    told["sources"] = sorted(facts["data"])
    (folder / "run.json").write_text(json.dumps({{**facts, "git_revision": "first"}}))
    told["again"] = refused(config)
    told["revision"] = json.loads((folder / "run.json").read_text())["git_revision"]
    Path("rows.jsonl").write_text(data + data.splitlines()[0])
    told["data"] = refused(config)
    Path("rows.jsonl").write_text(data)
    weights = Path("base/model.safetensors").read_bytes()
    Path("base/model.safetensors").write_bytes(weights[:-4] + bytes(4))
    told["base"] = refused(config)
    Path("base/model.safetensors").write_bytes(weights)
    for _ in range(2):  # two processes, one after the other
        tally = KeptTally(folder, "sft", scorer := Scorer(Coin()))
        scorer.tally.answers += 3
        scorer.tally.asked += 5
        tally.on_save(None, None, None)
        scorer.tally.answers += 100  # after the last state: lost to a kill
    told["tally"] = noted(folder)["reward_sft"]
    writer = Writer(config, Path("base"))
    told["answers"] = [len(texts) for texts in writer(load(config).train[:2], seed=1)]
    model, _ = writer._loaded
    told["placed"] = [str(model.device.type), str(model.dtype)]
    told["gpu"] = torch.cuda.is_available()
    def state(step, *, whole=True, processes=1):
        at = made / "stage" / f"checkpoint-{{step}}"
        at.mkdir(parents=True)
        (at / "trainer_state.json").write_text("{{}}" if whole else "")
        for number in range(processes):
            torch.save({{}}, at / f"rng_state_{{number}}.pth")
    state(8, processes=2)
    state(9)
    state(10, whole=False)
    told["last_states"] = [Path(_last_state(made / "stage", count)).name for count in (2, 1, 4)]
    told["states"] = sorted(path.name for path in (made / "stage").iterdir())
    told["no_state"] = _last_state(made / "none", 2)
    class Out:
        name = "out"
        async def does(self, prompt, answer, criterion):
            return None

    drafts = load(config).train
    said = io.StringIO()
    with redirect_stderr(said):
        scorer = Scorer(Out())
        journal = Path("rollouts.jsonl")
        rolled_out(config, Path("base"), drafts, journal, scorer, KeptTally(folder, "sft", scorer))
    told["unjudged"] = [len(drafts), noted(folder)["rollouts_unjudged"], journal.read_text(), said.getvalue()]
print(json.dumps(told))
"""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.training,
    pytest.mark.timeout(400),  # it imports torch and TRL three times over
    needs(TRL.exists(), f"no TRL in .venv-training: {ALIGN}"),
]


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    done = subprocess.run(
        [str(PYTHON), "-c", ASKED],
        env={"PYTHONPATH": ".", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_resumed_run_keeps_its_first_revision(told: dict[str, Any]) -> None:
    assert (told["again"], told["revision"]) == (None, "first")
    assert told["sources"] == ["dialogues", "rows.jsonl"], "sources of a generator that made nothing are no fact"


def test_a_run_whose_data_or_base_changed_is_refused(told: dict[str, Any]) -> None:
    assert "work of data.rows.jsonl" in told["data"]
    assert "work of base" in told["base"]


def test_the_tally_of_a_stage_is_that_of_all_its_processes(told: dict[str, Any]) -> None:
    assert (told["tally"]["judge"], told["tally"]["answers"], told["tally"]["verdicts"]) == ("coin", 6, 10)


def test_a_state_that_a_process_did_not_finish_gives_way_to_one_that_all_did(told: dict[str, Any]) -> None:
    assert told["last_states"] == ["checkpoint-8", "checkpoint-9", "checkpoint-9"]
    assert told["states"] == ["checkpoint-8", "checkpoint-9"], "what nobody can resume from is removed"
    assert told["no_state"] is None


def test_a_writer_stands_where_its_precision_is_for(told: dict[str, Any]) -> None:
    assert told["placed"] == (["cuda", "torch.bfloat16"] if told["gpu"] else ["cpu", "torch.float32"])
    assert told["answers"] == [2, 2]


def test_rollouts_that_nobody_judged_are_counted_and_not_kept(told: dict[str, Any]) -> None:
    drafts, noted, kept, said = told["unjudged"]
    assert noted == drafts > 1
    assert kept == ""
    assert f"{drafts} of {drafts} prompts are left unjudged" in said
    assert "start the run again" in said


TWO = """
from pathlib import Path
import sys
from training.align.config import read
from training.align.kills import Coin
from training.align.ranks import ranks
from training.align.run import run
made = run(read(Path("run.toml")), judge=Coin())
# One write: both processes share one pipe, unbuffered.
sys.stdout.write(f"{ranks().process_index} of {ranks().num_processes} made {made}\\n")
"""
TWO_RUN = """
[run]
name = "two"
seed = 3
base = "base"
stages = ["grpo"]
[data]
dialogues = 4
[grpo]
max_steps = 2
per_device_train_batch_size = 2
num_generations = 2
max_completion_length = 4
learning_rate = 1e-2
save_steps = 1
logging_steps = 1
mask_truncated_completions = false
"""
COMPARED = """
from safetensors.torch import load_file
folder = "build/training/two/grpo"
made, state = (load_file(f"{folder}/{name}/model.safetensors") for name in ("checkpoint", "checkpoint-2"))
assert made.keys() == state.keys()
assert all((made[name] == state[name].bfloat16()).all() for name in made), "not the weights that were learnt"
"""


def test_two_processes_make_one_checkpoint_of_what_they_learnt(tmp_path: Path) -> None:
    root = Path.cwd()
    (tmp_path / "run.toml").write_text(TWO_RUN)
    (tmp_path / "two.py").write_text(TWO)

    def training(*words: str, cwd: Path) -> str:
        environment = {
            "PYTHONPATH": str(root),
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
            "ACCELERATE_USE_CPU": "1",
        }
        done = subprocess.run(
            [str(root / PYTHON), *words], cwd=cwd, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    tiny = "import sys; from pathlib import Path; from training.align.kills import tiny"
    training("-c", f"{tiny}; tiny(Path(sys.argv[1]), mixture=False, seed=1)", str(tmp_path / "base"), cwd=root)
    said = training("-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "two.py", cwd=tmp_path)
    assert {line.partition(" made ")[0] for line in said.splitlines() if " made " in line} == {"0 of 2", "1 of 2"}
    training("-c", COMPARED, cwd=tmp_path)
    log = json.loads((tmp_path / "build/training/two/grpo/checkpoint/metrics.json").read_text())
    assert len([row for row in log if "reward" in row]) == 2
