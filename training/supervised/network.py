"""The small model: its shape in, a Qwen3 that reads trees out; an earlier edition's weights to go on from."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import Qwen3Config, Qwen3ForCausalLM

from training import gguf
from training.chatml import END, PAD
from training.supervised.attention import NAME
from training.supervised.batch import Batch
from training.supervised.config import Shape

# Queries and keys start longer than the norm leaves them: at length 1 no score exceeds 8, too little to pick one token
# among hundreds, which is what copying does.
_SHARPNESS = 1.4


def new(shape: Shape, special: Mapping[str, int | None]) -> Qwen3ForCausalLM:
    """A new Qwen3 of the shape, in float32."""
    config = Qwen3Config(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        intermediate_size=shape.feed_forward,
        max_position_embeddings=shape.context,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=special[END],
        pad_token_id=special[PAD],
        attn_implementation=NAME,
    )
    made = Qwen3ForCausalLM(config)
    for layer in made.model.layers:
        torch.nn.init.constant_(layer.self_attn.q_norm.weight, _SHARPNESS)
        torch.nn.init.constant_(layer.self_attn.k_norm.weight, _SHARPNESS)
    return made


def start_from(path: Path, network: Qwen3ForCausalLM, *, sha256: str) -> None:
    """Sets the weights to an earlier edition's. Where the feed-forward has grown, what is new adds nothing at first.

    Raises:
        ValueError: the file is not the one that the run names.

    """
    if (found := gguf.sha256(path)) != sha256:
        raise ValueError(f"{path}: its digest is {found}, and the run names {sha256}")
    with torch.no_grad():
        for name, old in load_file(path).items():
            new_one = network.get_parameter(name)
            if name.endswith("down_proj.weight"):
                new_one.zero_()
            new_one[tuple(slice(size) for size in old.shape)] = old.float()


def hidden_states(network: Qwen3ForCausalLM, batch: Batch) -> Tensor:
    """[rows * tokens, width]: the last hidden states of all trees, the rows laid end to end."""
    done = network.model(
        input_ids=batch.ids,
        position_ids=batch.positions,
        attention_mask={"full_attention": None},  # the batch says who sees whom
        use_cache=False,
        sight=batch.sight,
    )
    return done.last_hidden_state.flatten(0, 1)
