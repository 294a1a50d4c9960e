"""The weighted loss of one batch, and what a log wants to know of it."""

import math

import torch
from torch import Tensor
from torch.nn import functional
from transformers import Qwen3ForCausalLM

from training.supervised.batch import Batch
from training.supervised.network import hidden_states
from training.supervised.trees import STAGES


def losses(
    network: Qwen3ForCausalLM,
    batch: Batch,
    *,
    rivals: int = 0,
    chance: torch.Generator | None = None,
    bfloat16: bool = False,
) -> tuple[Tensor, Tensor]:
    """The weighted mean loss, and [stage: loss, right, count ...; tokens] for the log.

    With `rivals`, a token is told from that many random others and from all that are wanted in the batch, rather than
    from the whole vocabulary; the random ones count for those that were left out.
    """
    with torch.autocast(batch.ids.device.type, dtype=torch.bfloat16, enabled=bfloat16):
        hidden = hidden_states(network, batch)[batch.before]
    logits, place = _scores(network, hidden.float(), batch.wanted, rivals=rivals, chance=chance)
    each = functional.cross_entropy(logits, place, reduction="none")
    with torch.no_grad():
        columns = torch.stack([each, (logits.argmax(-1) == place).float(), torch.ones_like(each)], 1).double()
        report = torch.zeros(len(STAGES), 3, dtype=torch.float64, device=each.device)
        report.index_add_(0, batch.stage, columns)
        counted = torch.cat([report.flatten(), torch.tensor([batch.tokens], device=each.device).double()])
    return (each * batch.weight).sum() / batch.weight.sum(), counted


def _scores(
    network: Qwen3ForCausalLM, hidden: Tensor, wanted: Tensor, *, rivals: int, chance: torch.Generator | None
) -> tuple[Tensor, Tensor]:
    """Scores of candidates, and the place of each wanted token among them."""
    table = network.lm_head.weight
    if not rivals:
        return hidden @ table.T, wanted
    drawn = torch.randint(len(table), (rivals,), generator=chance).to(wanted.device)
    candidates = torch.cat([wanted, drawn]).unique()
    stands_for = torch.full((len(table),), math.log(len(table) / rivals), device=wanted.device)
    stands_for[wanted] = 0.0
    return hidden @ table[candidates].T + stands_for[candidates], torch.searchsorted(candidates, wanted)
