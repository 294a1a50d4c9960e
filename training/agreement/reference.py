"""What transformers says in float32: `python -m training.agreement.reference DIR < ASKS > SAID`, both JSON."""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

_ALTERNATIVES = 20


def said(checkpoint: Path, asked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For each `{"messages", "most"}`: ids of the prompt and of the greedy reply, its text, the likeliest first tokens.

    The reply's ids end with the end of the turn where it came in time.
    """
    network = AutoModelForCausalLM.from_pretrained(checkpoint, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    found = []
    for ask in asked:
        text = tokenizer.apply_chat_template(ask["messages"], tokenize=False, add_generation_prompt=True)
        ids = tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            made = network.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=ask["most"],
                do_sample=False,
                return_dict_in_generate=True,
                output_logits=True,
            )
        reply = made.sequences[0, ids.shape[1] :]
        likely = made.logits[0][0].softmax(-1).topk(_ALTERNATIVES)
        found.append(
            {
                "prompt_ids": ids[0].tolist(),
                "reply_ids": reply.tolist(),
                "text": tokenizer.decode(reply, skip_special_tokens=True),
                "first": [
                    [tokenizer.decode([token]), probability]
                    for probability, token in zip(likely.values.tolist(), likely.indices.tolist(), strict=True)
                ],
            }
        )
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    json.dump(said(Path(sys.argv[1]), json.load(sys.stdin)), sys.stdout)
