"""What OpenRLHF itself makes of our rows and reward, as JSON: `python -m training.openrlhf_probe ROWS.parquet MODEL`.

Needs OpenRLHF on the path (requirements/verl.txt), and the judge in the environment. Rows go through its data set,
answers and our file through what its rollouts call; vLLM alone is not there, and one sentence answers every prompt.
"""

import asyncio
import json
import logging
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import openrlhf
from datasets import load_dataset
from openrlhf.datasets.prompts_dataset import PromptDataset
from openrlhf.utils.agent import SingleTurnAgentExecutor
from transformers import AutoTokenizer

_ENTRY = "training/reward/openrlhf_entry.py"
_SAID = "Rest and drink."
_ROOM = 8192


class Engine:
    """vLLM's place: the same tokens to every prompt, the last of them the end."""

    def __init__(self, tokenizer: Any) -> None:
        self._ids = [*tokenizer(_SAID, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]

    async def generate(self, *_: Any, **__: Any) -> Any:
        """As its client does."""
        return SimpleNamespace(outputs=[SimpleNamespace(token_ids=self._ids, finish_reason="stop", logprobs=None)])


def probe(rows: Path, checkpoint: Path) -> dict[str, Any]:
    """Each row's reward, all asked for at once; that of a prompt that is cut; and how many scorers there came to be."""
    sys.setswitchinterval(1e-6)  # threads that can meet, meet
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    options = SimpleNamespace(input_key="prompt", label_key="label", apply_chat_template=True)
    strategy = SimpleNamespace(args=SimpleNamespace(data=options), is_rank_0=lambda: False)
    data = PromptDataset(load_dataset("parquet", data_files=str(rows), split="train"), tokenizer, strategy)
    executor, engine = SingleTurnAgentExecutor([_ENTRY]), Engine(tokenizer)

    async def answered(at: int, room: int) -> dict[str, Any]:
        _, prompt, label, _ = data[at]
        settings = SimpleNamespace(max_tokens=16, logprobs=None)
        return dict(await executor.execute(prompt, label, settings, room, tokenizer, engine))

    async def all_answered() -> list[dict[str, Any]]:
        return await asyncio.gather(*(answered(at, _ROOM) for at in range(len(data))))

    made = asyncio.run(all_answered())
    return {
        "rewards": [each["reward"].item() if each["reward"] is not None else None for each in made],
        "rubrics": [each["extra_logs"]["rubric"].item() for each in made if each["extra_logs"]],
        "labels": [each["label"] for each in made],
        "reward_of_a_cut_prompt": asyncio.run(answered(0, 24))["reward"],
        "scorers": sum(thread.name == "reward" for thread in threading.enumerate()),
        "options": (Path(openrlhf.__file__).parent / "cli/train_ppo_ray.py").read_text(),
    }


if __name__ == "__main__":
    logging.disable()  # it logs to standard output, where our result goes
    print(json.dumps(probe(Path(sys.argv[1]), Path(sys.argv[2]))))
