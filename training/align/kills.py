"""GRPO killed and resumed: how many kills in; whether the weights are those of an undisturbed run goes out.

    .venv-training/bin/python -m training.align.kills --kills 10 dense-shared
    .venv-training/bin/python -m training.align.kills --kills 2 dense dapo mixture dense-lora mixture-lora

A tiny model with random weights learns from the dialogue generator's tasks. The work is done in forks of this process,
each killed (SIGKILL) at a random moment: while it writes, learns, or saves its state.
"""

import argparse
import hashlib
import json
import os
import random
import signal
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import chdir
from pathlib import Path
from threading import RLock
from typing import Any

import torch
from tqdm.std import tqdm
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3MoeConfig,
    Qwen3MoeForCausalLM,
)

from service.domain.conversation import Message
from training.align.config import AlignConfig, read
from training.align.run import run
from training.align.shared import Prompts, log_probabilities, sample

# Before the first progress bar, whose own lock is one for all forks: who is killed while holding it stops all others.
tqdm.set_lock(RLock())
_CHECKPOINT = Path("training/checkpoints/clinalign-demo")
_STEPS_A_KILL = 3
_TOML = """
[run]
name = "kills"
seed = {seed}
base = "base"
stages = ["grpo"]
[data]
dialogues = 6
[rollouts]
shared_prompts = {shared}
{lora}
[grpo]
max_steps = {steps}
per_device_train_batch_size = 4
num_generations = 2
max_completion_length = 8
learning_rate = 1e-3
save_steps = 1
save_total_limit = 2
logging_steps = 1
mask_truncated_completions = false
{loss}
"""


def tiny(folder: Path, *, mixture: bool, seed: int) -> None:
    """A model of two layers with the demonstration checkpoint's tokenizer, and random weights."""
    tokenizer = AutoTokenizer.from_pretrained(_CHECKPOINT)
    torch.manual_seed(seed)
    shape: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 16,
        "tie_word_embeddings": True,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": None,
    }
    experts = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
    model: Any = (
        Qwen3MoeForCausalLM(Qwen3MoeConfig(**shape, **experts)) if mixture else Qwen3ForCausalLM(Qwen3Config(**shape))
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


class Coin:
    """A judge whose verdicts follow from a digest of the answer: random weights please no other, and learn nothing."""

    name = "coin"

    async def does(self, prompt: Sequence[Message], answer: str, criterion: str) -> bool:
        """Heads or tails, the same each time."""
        del prompt
        return hashlib.sha256(f"{answer}/{criterion}".encode()).digest()[0] % 2 == 0


def forked(work: Callable[[], object]) -> int:
    """Does the work in a fork of this process; returns its id."""
    if (child := os.fork()) == 0:
        quiet = os.open("log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        code = 1
        # A fork's pool of threads is made anew at its first use: by one thread, or several fall over each other.
        torch.set_num_threads(torch.get_num_threads())
        tqdm.set_lock(RLock())
        try:
            work()
            code = 0
        except BaseException:  # noqa: BLE001 - the edge of a process: told in its log
            traceback.print_exc()
        finally:
            os._exit(code)
    return child


def undisturbed(config: AlignConfig, folder: Path) -> float:
    """Seconds that the whole run took.

    Raises:
        RuntimeError: it failed.

    """
    began = time.monotonic()
    with chdir(folder):
        _, status = os.waitpid(forked(lambda: run(config, judge=Coin())), 0)
    if status:
        raise RuntimeError(f"the undisturbed run failed: {_log(folder)}")
    return time.monotonic() - began


def disturbed(config: AlignConfig, folder: Path, *, kills: int, pause_s: float, rng: random.Random) -> int:
    """Kills the run so many times and lets it end; returns at how many different steps it was killed.

    Raises:
        RuntimeError: it ended before it was killed as often, or failed.

    """
    states: set[int] = set()
    for number in range(kills + 1):
        with chdir(folder):
            child = forked(lambda: run(config, judge=Coin()))
        if number == kills:
            if os.waitpid(child, 0)[1]:
                raise RuntimeError(f"the resumed run failed: {_log(folder)}")
            return len(states)
        target = min(_last(folder, config) + rng.randint(0, _STEPS_A_KILL - 1), _STEPS_A_KILL * (number + 1))
        while _last(folder, config) < target and os.waitpid(child, os.WNOHANG) == (0, 0):
            time.sleep(0.002)
        time.sleep(rng.random() * pause_s)
        os.kill(child, signal.SIGKILL)
        if os.WIFEXITED(os.waitpid(child, 0)[1]):
            raise RuntimeError("the run ended before it was killed")
        states.add(_last(folder, config))
    return len(states)


def _log(folder: Path) -> str:
    return (folder / "log.txt").read_text()[-2000:]


def _last(folder: Path, config: AlignConfig) -> int:
    """The newest step that has a folder, whole or not."""
    found = (folder / config.folder / "grpo").glob("checkpoint-*")
    return max((int(path.name.split("-")[1]) for path in found), default=0)


def digest(folder: Path, config: AlignConfig, *, step: int) -> str:
    """Of the weights after a step, in float32."""
    state = folder / config.folder / "grpo" / f"checkpoint-{step}"
    found = hashlib.sha256()
    for path in sorted(state.glob("*.safetensors")):
        found.update(path.read_bytes())
    return found.hexdigest()


def _first_gradient(folder: Path, config: AlignConfig, *, step: int) -> float:
    """Its norm: the same whether prompts are shared or not."""
    state = folder / config.folder / "grpo" / f"checkpoint-{step}" / "trainer_state.json"
    log = json.loads(state.read_text())["log_history"]
    return float(next(row["grad_norm"] for row in log if "grad_norm" in row))


def sharing(folder: Path, *, bfloat16: bool = False) -> float:
    """How far log-probabilities with prompts computed once lie from those of plain passes in float32, at the most.

    With `bfloat16` those computed once are in mixed precision, as `bf16 = true` makes them.
    """
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    asked = [list(range(5, 5 + count)) for count in (12, 30, 21)]
    replies = sample(model, Prompts.of(asked, 2, pad=0), temperature=1.0, most=9, end=model.config.eos_token_id)
    longest = max(map(len, replies))
    padded = torch.tensor([reply + [0] * (longest - len(reply)) for reply in replies])
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        found, _ = log_probabilities(model, Prompts.of(asked, 2, pad=0), padded, temperature=1.0)
    far = 0.0
    for at, reply in enumerate(replies):
        before = len(asked[at // 2])
        with torch.no_grad():
            scores = model(torch.tensor([asked[at // 2] + reply])).logits[0, before - 1 : -1].log_softmax(-1)
        plain = scores.gather(-1, torch.tensor(reply)[:, None])[:, 0]
        far = max(far, float((plain - found[at, : len(reply)]).abs().max()))
    return far


def compare(variant: str, *, kills: int, seed: int) -> dict[str, Any]:
    """Both runs' digests, whether they are the same, and whether there was anything to learn.

    `variant` is words among mixture, dapo, lora and shared, joined by hyphens; without them all weights of a dense
    model by Dr. GRPO. It may end with a number of kills of its own: `dapo:0` is one run, and has no second digest.
    """
    name, _, own = variant.partition(":")
    words, kills = name.split("-"), int(own or kills)
    with tempfile.TemporaryDirectory() as scratch:
        places = [Path(scratch) / name for name in ("whole", "killed")]
        for place in places:
            tiny(place / "base", mixture="mixture" in words, seed=seed)
        steps = _STEPS_A_KILL * (kills + 1)
        config = _config(Path(scratch) / "run.toml", words, seed=seed, steps=steps)
        seconds = undisturbed(config, places[0])
        whole = digest(places[0], config, step=steps)
        found = {
            "variant": name,
            "sharing_differs_by": sharing(places[0] / "base"),
            "sharing_in_bfloat16_differs_by": sharing(places[0] / "base", bfloat16=True),
            "steps": steps,
            "first_gradient": _first_gradient(places[0], config, step=steps),
            "whole": whole,
            "learnt": whole != digest(places[0], config, step=steps - 1),
        }
        if not kills:
            return found
        states = disturbed(config, places[1], kills=kills, pause_s=seconds / steps, rng=random.Random(seed))
        killed = digest(places[1], config, step=steps)
        told = {"kills": kills, "killed_at_different_steps": states, "killed": killed, "same": whole == killed}
        return {**found, **told}


def _config(path: Path, words: Sequence[str], *, seed: int, steps: int) -> AlignConfig:
    path.write_text(
        _TOML.format(
            seed=seed,
            steps=steps,
            lora="[lora]\nrank = 4\nalpha = 8" if "lora" in words else "",
            shared=str("shared" in words).lower(),
            loss='loss_type = "dapo"' if "dapo" in words else "",
        )
    )
    return read(path)


if __name__ == "__main__":
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description="GRPO killed and resumed, against an undisturbed run.")
    parser.add_argument("variants", nargs="+", help="such as dense, dense-shared, dapo:0, mixture-lora")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    told = [compare(variant, kills=given.kills, seed=given.seed) for variant in given.variants]
    print(json.dumps(told))
    raise SystemExit(0 if all(each.get("same", True) and each["learnt"] for each in told) else 1)
