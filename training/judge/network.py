"""The small judge's network: a MiniLM in which claims read the answer, and nothing reads another's claim.

Answer and claims are read apart in the lowest layers and together above, all in one pass; so ten claims cost little
more than one, and none of them can sway another. Between the two, each token of a claim is told how near the answer's
nearest token is, as a word and in its context: to find that out by attention alone would take far more training.
"""

import math
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

_HIDDEN = -1e4
_FAR = -4.0  # below any cosine


class Layer(nn.Module):
    """One BERT layer, normalised after each half."""

    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.output = (nn.Linear(width, width) for _ in range(4))
        self.attention_norm, self.norm = (nn.LayerNorm(width, eps=1e-12) for _ in range(2))
        self.rise, self.fall = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, hidden: Tensor, bias: Tensor, dropout: float) -> Tensor:
        """Hidden states [rows, tokens, width]; `bias` [rows, 1, tokens, tokens] hides what must not be seen."""
        rows, tokens, width = hidden.shape
        split = (rows, tokens, self.heads, width // self.heads)
        query, key, value = (f(hidden).view(split).transpose(1, 2) for f in (self.query, self.key, self.value))
        scores = query @ key.transpose(-1, -2) / math.sqrt(split[-1]) + bias
        mixed = (torch.softmax(scores, -1) @ value).transpose(1, 2).reshape(rows, tokens, width)
        hidden = self.attention_norm(hidden + functional.dropout(self.output(mixed), dropout, self.training))
        risen = self.fall(functional.gelu(self.rise(hidden)))
        out: Tensor = self.norm(hidden + functional.dropout(risen, dropout, self.training))
        return out


class Reader(nn.Module):
    """Reads rows made by `service.entailment.packing` and gives one logit a claim.

    In the first `apart` layers every segment sees itself alone.
    """

    def __init__(
        self, *, vocabulary: int, width: int, heads: int, inner: int, layers: int, positions: int, apart: int
    ) -> None:
        super().__init__()
        self.apart, self.dropout = apart, 0.1
        self.words, self.places = nn.Embedding(vocabulary, width), nn.Embedding(positions, width)
        self.sides = nn.Embedding(2, width)
        self.embedding_norm = nn.LayerNorm(width, eps=1e-12)
        self.layers = nn.ModuleList(Layer(width, heads, inner) for _ in range(layers))
        self.hint = nn.Linear(2, width)
        self.head = nn.Linear(2 * width + 4, 1)

    def forward(self, ids: Tensor, positions: Tensor, segments: Tensor, wanted: Tensor) -> Tensor:
        """Ids, positions and segments [rows, tokens], wanted [rows, claims]; logits [rows, claims]."""
        own = segments.unsqueeze(2) == segments.unsqueeze(1)
        with_answer = own | ((segments.unsqueeze(1) == 0) & (segments.unsqueeze(2) > 0))
        alone, joint = ((~seen).to(torch.float32).unsqueeze(1) * _HIDDEN for seen in (own, with_answer))
        words = self.words(ids)
        hidden = self.embedding_norm(words + self.places(positions) + self.sides((segments > 0).to(torch.int64)))
        for layer in self.layers[: self.apart]:
            hidden = layer(hidden, alone, self.dropout)
        strange = (segments.unsqueeze(1) != 0).to(torch.float32) * _FAR
        near = torch.stack([_nearest(words, strange), _nearest(hidden, strange)], -1)  # [rows, tokens, 2]
        hidden = hidden + self.hint(near)
        for layer in self.layers[self.apart :]:
            hidden = layer(hidden, joint, self.dropout)
        mine = segments.unsqueeze(1) == wanted.unsqueeze(2)  # [rows, claims, tokens]
        first = (mine & (positions.unsqueeze(1) == 0)).to(torch.float32)
        every = mine.to(torch.float32)
        mean = every / every.sum(-1, keepdim=True).clamp(min=1.0)
        farthest = (near.unsqueeze(1) + (1 - every).unsqueeze(-1) * -_FAR).min(dim=2).values  # [rows, claims, 2]
        logits: Tensor = self.head(torch.cat([first @ hidden, mean @ hidden, mean @ near, farthest], -1)).squeeze(-1)
        return logits

    def freeze(self, layers: int) -> None:
        """Keep the embeddings and the lowest layers as they are."""
        for part in (self.words, self.places, self.embedding_norm, *self.layers[:layers]):
            part.requires_grad_(requires_grad=False)


def _nearest(hidden: Tensor, strange: Tensor) -> Tensor:
    """For each token the highest cosine to a token of the answer; `strange` [rows, 1, tokens] lowers all others."""
    unit = functional.normalize(hidden, dim=-1)
    return (unit @ unit.transpose(1, 2) + strange).max(dim=-1).values


def from_minilm(weights: Path, *, apart: int) -> Reader:
    """A reader that begins with all-MiniLM-L6-v2's weights and a head of zeros."""
    reader = Reader(vocabulary=30522, width=384, heads=12, inner=1536, layers=6, positions=512, apart=apart)
    reader.load_state_dict(
        {_ours(name): tensor for name, tensor in load_file(weights).items() if _ours(name)}, strict=False
    )
    nn.init.normal_(reader.hint.weight, std=0.02)
    nn.init.zeros_(reader.hint.bias)
    nn.init.zeros_(reader.head.weight)
    nn.init.zeros_(reader.head.bias)
    return reader


_NAMES = {
    "embeddings.word_embeddings": "words",
    "embeddings.position_embeddings": "places",
    "embeddings.token_type_embeddings": "sides",
    "embeddings.LayerNorm": "embedding_norm",
    "attention.self.query": "query",
    "attention.self.key": "key",
    "attention.self.value": "value",
    "attention.output.dense": "output",
    "attention.output.LayerNorm": "attention_norm",
    "intermediate.dense": "rise",
    "output.dense": "fall",
    "output.LayerNorm": "norm",
}


def _ours(name: str) -> str:
    """The name of BERT's tensor here, empty where there is none."""
    name = name.removeprefix("bert.").replace("encoder.layer.", "layers.")
    if name.startswith("layers."):
        _, at, rest = name.split(".", 2)
        part, _, kind = rest.rpartition(".")
        return f"layers.{at}.{_NAMES[part]}.{kind}"
    part, _, kind = name.rpartition(".")
    return f"{_NAMES[part]}.{kind}" if part in _NAMES else ""
