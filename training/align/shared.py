"""GRPO's prompts computed once for all of their samples: ids come in; samples, and their log-probabilities, go out.

TRL computes each prompt as often as it has samples, twice: to write and to learn. With prompts three to ten times as
long as the replies that is most of the work, and on a CPU most of the hours.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import AttentionInterface, PreTrainedModel
from trl import GRPOTrainer

_NAME = "shared_prompts"


@dataclass
class Prompts:
    """Prompts, padded on the left to [prompts, longest], of `samples` replies each, and their keys and values by layer.

    While a reply is written token by token, `written` holds its own keys and values: [replies, groups, tokens, width].
    """

    ids: Tensor
    mask: Tensor
    samples: int
    keys: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)
    written: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)
    grows: bool = False

    @classmethod
    def of(cls, prompts: Sequence[Sequence[int]], samples: int, *, pad: int, device: Any = "cpu") -> "Prompts":
        """From lists of ids."""
        longest = max(map(len, prompts))
        ids = torch.tensor([[pad] * (longest - len(p)) + list(p) for p in prompts])
        mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts]).bool()
        return cls(ids.to(device), mask.to(device), samples)

    @property
    def lengths(self) -> Tensor:
        """[replies, 1]: the tokens before each reply."""
        return self.mask.sum(1).repeat_interleave(self.samples)[:, None]

    def grown(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """A reply's keys and values so far, with the newest."""
        if not self.grows:
            return key, value
        if layer in self.written:
            old = self.written[layer]
            key, value = torch.cat([old[0], key], 2), torch.cat([old[1], value], 2)
        self.written[layer] = key, value
        return key, value


def _attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, _mask: Any, *, scaling: float, prompts: Prompts, **_: Any
) -> tuple[Tensor, None]:
    """A prompt attends to itself; replies, [replies, heads, tokens, width], to their prompt and themselves."""
    layer = module.layer_idx
    if layer not in prompts.keys:
        prompts.keys[layer] = key, value
        count = query.shape[2]
        seen = torch.ones(count, count, dtype=torch.bool, device=query.device).tril() & prompts.mask[:, None, None, :]
        seen |= torch.eye(
            count, dtype=torch.bool, device=query.device
        )  # padding sees itself, or its softmax would be nothing
        mixed = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=seen, scale=scaling, enable_gqa=True
        )
        return mixed.transpose(1, 2), None
    return _replies(query * scaling, *prompts.grown(layer, key, value), prompts, layer).transpose(1, 2), None


def _replies(query: Tensor, key: Tensor, value: Tensor, prompts: Prompts, layer: int) -> Tensor:
    replies, heads, count, width = query.shape
    asked, groups, before, _ = prompts.keys[layer][0].shape
    each = heads // groups
    wide = (asked, prompts.samples, groups, each * count)
    mine = query.reshape(replies, groups, each * count, width)
    theirs = mine.view(*wide, width).transpose(1, 2).reshape(asked, groups, -1, width)
    far = theirs @ prompts.keys[layer][0].transpose(2, 3)
    far = far.masked_fill(~prompts.mask[:, None, None, :], -torch.inf)
    far = far.view(asked, groups, prompts.samples, each * count, before).transpose(1, 2)
    far = far.reshape(replies, groups, each * count, before)
    near = mine @ key.transpose(2, 3)
    if count > 1:
        later = torch.ones(count, key.shape[2], dtype=torch.bool, device=query.device).triu(1)
        near = near.masked_fill(later.repeat(each, 1), -torch.inf)
    shares = torch.cat([far, near], -1).softmax(-1)
    far, near = shares[..., :before], shares[..., before:]
    far = far.reshape(*wide, before).transpose(1, 2).reshape(asked, groups, -1, before) @ prompts.keys[layer][1]
    far = far.view(asked, groups, prompts.samples, each * count, width).transpose(1, 2)
    return (far.reshape(mine.shape) + near @ value).view(replies, heads, count, width)


AttentionInterface.register(_NAME, _attention)


@contextmanager
def _backbone(model: Any) -> Iterator[tuple[Any, Any]]:
    """The layers and the head of a model, or of one in adapters, with our attention in place of its own."""
    whole: PreTrainedModel = model.get_base_model() if hasattr(model, "get_base_model") else model
    before = whole.config._attn_implementation  # noqa: SLF001 - set by name, and only read here
    whole.set_attn_implementation(_NAME)
    try:
        yield whole.model, whole.lm_head
    finally:
        whole.set_attn_implementation(before)


def _read(layers: Any, ids: Tensor, positions: Tensor, prompts: Prompts) -> Tensor:
    """[rows, tokens, width]: the last hidden states. The attention itself says who sees whom."""
    unmasked = {"full_attention": None}
    done = layers(input_ids=ids, position_ids=positions, attention_mask=unmasked, use_cache=False, prompts=prompts)
    hidden: Tensor = done.last_hidden_state
    return hidden


def _start(layers: Any, prompts: Prompts) -> Tensor:
    """[replies, 1, width]: what each reply's first token is said from."""
    hidden = _read(layers, prompts.ids, (prompts.mask.cumsum(1) - 1).clamp(min=0), prompts)
    return hidden[:, -1:].repeat_interleave(prompts.samples, 0)


@torch.no_grad()
def sample(model: Any, prompts: Prompts, *, temperature: float, most: int, end: int) -> list[list[int]]:
    """`samples` replies to each prompt, each to its end token or to `most` tokens."""
    with _backbone(model) as (layers, head):
        hidden = _start(layers, prompts)
        prompts.grows = True
        said: list[Tensor] = []
        ended = torch.zeros(len(hidden), dtype=torch.bool, device=hidden.device)
        while len(said) < most and not ended.all():
            shares = (head(hidden[:, -1]).float() / temperature).softmax(-1)
            token = torch.multinomial(shares, 1).masked_fill(ended[:, None], end)
            said.append(token)
            ended |= token[:, 0] == end
            hidden = _read(layers, token, prompts.lengths + len(said) - 1, prompts)
    rows = torch.cat(said, 1).tolist()
    return [row[: row.index(end) + 1] if end in row else row for row in rows]


def log_probabilities(model: Any, prompts: Prompts, replies: Tensor, *, temperature: float) -> tuple[Tensor, Tensor]:
    """[replies, tokens] of each token, and the entropy where it was said."""
    with _backbone(model) as (layers, head):
        first = _start(layers, prompts)
        positions = prompts.lengths + torch.arange(replies.shape[1], device=replies.device)
        rest = _read(layers, replies, positions, prompts)[:, :-1]
        scores = (head(torch.cat([first, rest], 1)).float() / temperature).log_softmax(-1)
    entropy = -(scores.detach().exp() * scores.detach()).sum(-1)
    return scores.gather(-1, replies[..., None])[..., 0], entropy


class SharedPrompts(GRPOTrainer):
    """GRPO whose prompts are computed once; text only, one process."""

    def _generate_single_turn(
        self, prompt_ids: list[list[int]], _images: Any, _multimodal: Any, num_generations: int, **_: Any
    ) -> tuple[list[list[int]], None]:
        model = self.accelerator.unwrap_model(self.model)
        prompts = Prompts.of(
            prompt_ids[::num_generations], num_generations, pad=self._tokenizer.pad_token_id, device=model.device
        )
        end = self._tokenizer.eos_token_id
        with self.accelerator.autocast():  # the wrapper that would do it is passed over
            said = sample(model, prompts, temperature=self.temperature, most=self.max_completion_length, end=end)
        return said, None

    def _get_per_token_logps_and_entropies(
        self, model: Any, input_ids: Tensor, attention_mask: Tensor, logits_to_keep: int, *_: Any, **__: Any
    ) -> tuple[Tensor, Tensor, None]:
        count, start = self.num_generations, input_ids.shape[1] - logits_to_keep
        # Samples come shuffled: those of one prompt are brought together, and back afterwards.
        order = input_ids[:, :start].unique(dim=0, return_inverse=True)[1].argsort(stable=True)
        ids, mask = input_ids[order], attention_mask[order]
        prompts = Prompts(ids[::count, :start], mask[::count, :start].bool(), count)
        with self.accelerator.autocast():
            found = log_probabilities(model, prompts, ids[:, start:], temperature=self.temperature)
        back = order.argsort()
        return found[0][back], found[1][back], None
