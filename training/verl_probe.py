"""What verl itself makes of our run, as JSON: `python -m training.verl_probe RUN.yaml CHECKPOINT_DIR JUDGE_URL`.

Needs verl on the path (requirements/verl.txt). The run goes through its loader and into its own records, our reward
through its manager, which loads `compute_score` from the file that the run names and calls it as in training.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from transformers import AutoTokenizer
from verl import DataProto
from verl.trainer.ppo.reward import load_reward_manager
from verl.utils.config import omega_conf_to_dataclass

from service.domain.assessment import Criterion, Polarity
from training.reward.rubric import Rubric, row

_CRITERIA = (
    Criterion("p#rest", "p", "Tells the person to rest.", 7, Polarity.MUST),
    Criterion("p#call", "p", "Says whom to call.", 3, Polarity.MUST),
    Criterion("p#cure", "p", "Promises a cure.", 5, Polarity.MUST_NOT),
)
_SAID = "Rest and drink. I promise a cure."


def probe(run: Path, checkpoint: Path) -> dict[str, Any]:
    """The settings that matter as verl reads them, our keys that it does not know, and the reward of one answer."""
    with initialize_config_dir(config_dir=str(run.parent.resolve()), version_base=None):
        config = compose(run.stem)
        OmegaConf.resolve(config)
    unknown = sorted(_unknown(OmegaConf.load(run), _theirs()))
    actor = omega_conf_to_dataclass(config.actor_rollout_ref.actor)
    rollout = omega_conf_to_dataclass(config.actor_rollout_ref.rollout)
    return {
        "unknown": unknown,
        "loss": actor.policy_loss.loss_mode,
        "clip": [actor.clip_ratio_low, actor.clip_ratio_high],
        "samples": rollout.n,
        "nodes": config.trainer.nnodes,
        "reward": asyncio.run(_reward(config, checkpoint)),
    }


def _theirs() -> Any:
    import verl.trainer  # noqa: PLC0415 - beside its use

    folder = Path(verl.trainer.__file__).parent / "config"
    with initialize_config_dir(config_dir=str(folder), version_base=None):
        return compose("ppo_trainer")


def _unknown(ours: Any, theirs: Any, at: str = "") -> list[str]:
    """Keys of ours that verl's own configuration has not: it would take them and never read them."""
    found, known = [], set(theirs)  # a value that must be given is no member, but is a key
    for key, value in ours.items():
        if not at and key in {"hydra", "defaults"}:
            continue
        if key not in known:
            found.append(f"{at}{key}")
        elif OmegaConf.is_dict(value) and OmegaConf.is_dict(theirs[key]):
            found += _unknown(value, theirs[key], f"{at}{key}.")
    return found


async def _reward(config: Any, checkpoint: Path) -> dict[str, Any]:
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    manager = load_reward_manager(config, tokenizer)
    made = row([{"role": "user", "content": "I feel ill."}], Rubric.of(_CRITERIA), extra={"index": 0})
    ids = tokenizer(_SAID, return_tensors="pt", add_special_tokens=False)["input_ids"]
    data = DataProto.from_dict(
        tensors={"responses": ids, "attention_mask": torch.ones_like(ids)},
        non_tensors={
            name: np.array([made[name]], dtype=object) for name in ("data_source", "reward_model", "extra_info")
        },
    )
    said: dict[str, Any] = await manager.run_single(data)
    return said


if __name__ == "__main__":
    os.environ["CLINALIGN_REWARD_URL"] = sys.argv[3]
    print(json.dumps(probe(Path(sys.argv[1]), Path(sys.argv[2])), default=float))
