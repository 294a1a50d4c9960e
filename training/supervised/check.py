"""A model on held-out words and questions: the share of quotes right to the last token, and of stages' tokens."""

import random

import torch
from tokenizers import Tokenizer
from transformers import Qwen3ForCausalLM

from training.dialogues.words import Split
from training.supervised.batch import layout
from training.supervised.config import RunConfig
from training.supervised.feed import source
from training.supervised.loss import losses
from training.supervised.network import hidden_states
from training.supervised.trees import STAGES, Tree, echo, plant

# Enough that the best weights are told from the luckiest: with 12 dialogues they were not.
_DIALOGUES, _ECHOES = 60, 300
_SCORED = ("echo", "quote", "choice", "draft", "verdict", "edits")


@torch.no_grad()
def check(network: Qwen3ForCausalLM, config: RunConfig, tokenizer: Tokenizer) -> dict[str, float]:
    """`score` is the mean of quotes, drafts and what they choose to say, verdicts and edits."""
    dialogues = source(config, Split.HELD_OUT)
    rng = random.Random(config.seed)
    scenes = [scene for scene in map(dialogues.scene, range(1000, 1000 + _ECHOES)) if scene.quote]
    statements = [
        [p.statement for p in rng.sample(dialogues.library.trained, rng.choice((0, 0, 1, 2)))] for _ in scenes
    ]
    echoes = [echo(rng, scene, said, tokenizer) for scene, said in zip(scenes, statements, strict=True)]
    planted = [plant(dialogues.dialogue(n), tokenizer, limit=config.tree_tokens) for n in range(_DIALOGUES)]
    shares = {"echo": _whole(network, echoes), "quote": _whole(network, planted)}
    report = _report(network, planted)
    for at, stage in enumerate(STAGES):
        if stage in {"choice", "draft", "verdict", "edits", "rewrite"}:
            shares[stage] = report[3 * at + 1] / max(report[3 * at + 2], 1)  # none learnt, none right
    shares["score"] = sum(shares[name] for name in _SCORED) / len(_SCORED)
    return {name: round(share, 4) for name, share in shares.items()}


def _report(network: Qwen3ForCausalLM, trees: list[Tree]) -> list[float]:
    pairs = [layout(trees[n : n + 2], network.device).to(network.device) for n in range(0, len(trees), 2)]
    report: list[float] = torch.stack([losses(network, pair)[1] for pair in pairs]).sum(0).tolist()
    return report


def _whole(network: Qwen3ForCausalLM, trees: list[Tree]) -> float:
    """The share of trees whose quote is right to its last token."""
    outcomes = []
    for tree in trees:
        batch = layout([tree], network.device).to(network.device)
        mine = batch.stage == STAGES.index("quote")
        if mine.any():
            hidden = hidden_states(network, batch)[batch.before[mine]]
            outcomes.append(bool((network.lm_head(hidden).argmax(-1) == batch.wanted[mine]).all()))
    return sum(outcomes) / max(len(outcomes), 1)
