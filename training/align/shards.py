"""Our stages over sharded processes on CPUs: how many come in; what they make, beside one process, goes out.

    .venv-training/bin/python -m training.align.shards --killed dense mixture-lora

A tiny model with random weights takes every stage, its weights sharded by FSDP2 over gloo as training/runs/fsdp.yaml
says but for precision; and SFT in one process. With --killed again, all processes killed (SIGKILL) in each stage and
resumed: forks of one process share locks of its libraries, and now and then those that are left wait for one for good.
"""

import argparse
import json
import os
import signal
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate import DistributedType, PartialState
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.state import AcceleratorState
from accelerate.utils.launch import prepare_multi_gpu_env
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from training.align.config import AlignConfig, read
from training.align.kills import Coin, forked, tiny
from training.align.run import run
from training.reward.rubric import Item, Rubric, row

_SETTINGS = Path(__file__).parents[1] / "runs/fsdp.yaml"
_STAGES = ("sft", "dpo", "grpo")
_STEPS, _BATCH = 2, 4
_TOML = """
[run]
name = "shards"
seed = 3
base = "base"
stages = {stages}
[data]
rows = "rows.jsonl"
[rollouts]
samples = 24
max_tokens = 2
batch = 16
{lora}
"""
_STAGE = """
[{kind}]
max_steps = {steps}
per_device_train_batch_size = {each}
learning_rate = 1e-2
save_steps = 1
logging_steps = 1
"""
# Without AdamW's, whose step is as long for a gradient of rounding errors as for any other.
_MORE = {
    "sft": 'optim = "sgd"',
    "grpo": """num_generations = 2
max_completion_length = 6
mask_truncated_completions = false
beta = 0.1
""",
}


def toml(path: Path, stages: Sequence[str], *, processes: int, lora: bool) -> AlignConfig:
    """A run whose processes learn from one batch together, however many they are."""
    text = _TOML.format(stages=json.dumps(stages), lora="[lora]\nrank = 4\nalpha = 8" if lora else "")
    for kind in stages:
        text += _STAGE.format(kind=kind, steps=_STEPS, each=_BATCH // processes) + _MORE.get(kind, "")
    path.write_text(text)
    return read(path)


def prepare(folder: Path, *, mixture: bool) -> None:
    """The base and the rows."""
    tiny(folder / "base", mixture=mixture, seed=1)
    rubric = Rubric(tuple(Item(f"Criterion {at}", 1) for at in range(3)))
    rows = [row([{"role": "user", "content": f"Question {at}?"}], rubric, extra={"id": f"r{at}"}) for at in range(32)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))


def environment(count: int, precision: str) -> dict[str, str]:
    """What `accelerate launch` gives its processes by our settings."""
    words = ["--config_file", str(_SETTINGS), f"--num_processes={count}", f"--mixed_precision={precision}", "-m", "run"]
    given, *_ = _validate_launch_command(launch_command_parser().parse_args(words))
    found: dict[str, str] = prepare_multi_gpu_env(given)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    together = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "ACCELERATE_USE_CPU": "true"}
    return {**found, **together, "WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count)}


def _shard_on_cpus() -> None:
    """Has CPUs count as accelerators: of several processes there accelerate makes DDP, whatever the settings say."""
    plain = AcceleratorState.__init__

    def made(self: Any, *args: Any, fsdp_plugin: Any = None, **settings: Any) -> None:
        plain(self, *args, fsdp_plugin=fsdp_plugin, **settings)
        if fsdp_plugin is not None and self.distributed_type is DistributedType.MULTI_CPU:
            self.distributed_type, self.fsdp_plugin = DistributedType.FSDP, fsdp_plugin
            if self._mixed_precision != "no":
                fsdp_plugin.set_mixed_precision(self._mixed_precision)
            PartialState._shared_state["distributed_type"] = DistributedType.FSDP  # noqa: SLF001 - as it does itself

    AcceleratorState.__init__ = made


def _work(config: AlignConfig, rank: int, told: dict[str, str]) -> None:
    os.environ |= {**told, "RANK": str(rank), "LOCAL_RANK": str(rank)}
    _shard_on_cpus()
    run(config, judge=Coin())


@contextmanager
def started(config: AlignConfig, told: dict[str, str]) -> Iterator[list[int]]:
    """The processes' ids; none is left behind."""
    children = [forked(partial(_work, config, rank, told)) for rank in range(int(told["WORLD_SIZE"]))]
    try:
        yield children
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def undisturbed(config: AlignConfig, told: dict[str, str]) -> None:
    """The whole run."""
    with started(config, told) as children:
        ended(children)


def ended(children: list[int]) -> None:
    """Waits for all of them.

    Raises:
        RuntimeError: one failed; the others would wait for it.

    """
    while children:
        child, status = os.waitpid(-1, 0)
        children.remove(child)
        if status:
            raise RuntimeError(f"a process failed: {Path('log.txt').read_text()[-4000:]}")


def killed(config: AlignConfig, told: dict[str, str], after: Path) -> None:
    """Kills every process as soon as there is such a folder.

    Raises:
        RuntimeError: one ended before.

    """
    with started(config, told) as children:
        while not after.exists():
            child, _ = os.waitpid(-1, os.WNOHANG)
            if child:
                children.remove(child)
                raise RuntimeError(f"a process ended before it was killed: {Path('log.txt').read_text()[-4000:]}")
            time.sleep(0.01)


def compare(variant: str, *, processes: int, precision: str = "no", kills: bool = False) -> dict[str, Any]:
    """What a variant's runs made: dense, mixture, lora or mixture-lora."""
    words = variant.split("-")
    lora = "lora" in words
    with tempfile.TemporaryDirectory() as scratch:
        places = {name: Path(scratch) / name for name in ("whole", "killed", "alone")}
        for place in places.values():
            prepare(place, mixture="mixture" in words)
        config = toml(Path(scratch) / "run.toml", _STAGES, processes=processes, lora=lora)
        alone = toml(Path(scratch) / "alone.toml", _STAGES[:1], processes=1, lora=lora)
        with chdir(places["whole"]):
            undisturbed(config, environment(processes, precision))
        with chdir(places["killed"]):
            for kind in _STAGES if kills else ():
                killed(config, environment(processes, precision), config.folder / kind / "checkpoint-1")
            undisturbed(config, environment(processes, precision))
        with chdir(places["alone"]):
            ended([forked(lambda: run(alone, judge=Coin()))])
        whole, again, single = (place / config.folder for place in places.values())
        last = f"checkpoint-{_STEPS}"
        return {
            "variant": variant,
            "processes": processes,
            "sharded": (whole / "sft" / last / "pytorch_model_fsdp.bin").exists(),
            # After one step, since a second batch need not be full, and is then filled otherwise.
            "sft_differs_from_one_process_by": _differ(*(_weights(at / "sft/checkpoint-1") for at in (whole, single))),
            "sft_learnt": _differ(*(_weights(whole / "sft" / state) for state in ("checkpoint-1", last))),
            "again_differs_by": {kind: _differ(*(_made(each, kind) for each in (whole, again))) for kind in _STAGES},
            "loads_whole": {kind: _loads(whole / kind / "checkpoint") for kind in _STAGES},
            "first_dpo_loss": _log(whole / "dpo")[0]["loss"],
            "first_grpo_kl": _log(whole / "grpo")[0]["kl"],
        }


def _made(folder: Path, kind: str) -> Path:
    return _weights(folder / kind / "checkpoint")


def _loads(folder: Path) -> bool:
    """Whether transformers finds every weight, and none that it does not know."""
    _, told = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    return not any(told.values())


def _weights(folder: Path) -> Path:
    (found,) = folder.glob("*model.safetensors")  # or an adapter's
    return found


def _differ(one: Path, other: Path) -> float:
    """How far two files' weights lie apart, at the most."""
    first, second = load_file(one), load_file(other)
    first.pop("lm_head.weight", None)  # the embeddings' once more, where weights were gathered
    second.pop("lm_head.weight", None)
    if first.keys() != second.keys():
        return float("inf")
    return max(float((first[name].float() - second[name].float()).abs().max()) for name in first)


def _log(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((folder / "checkpoint/metrics.json").read_text())
    return rows


if __name__ == "__main__":
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description="Our stages over sharded processes on CPUs.")
    parser.add_argument("variants", nargs="+", help="dense, mixture, lora or mixture-lora")
    parser.add_argument("--killed", action="store_true", help="and once more, killed in each stage")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--precision", default="no", help="as fsdp.yaml's mixed_precision")
    given = parser.parse_args()
    options = {"processes": given.processes, "precision": given.precision, "kills": given.killed}
    print(json.dumps([compare(each, **options) for each in given.variants]))
