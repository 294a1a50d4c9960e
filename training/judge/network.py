"""The small judge's network: a MiniLM that reads answer and claims apart, and a layer in which claims read the answer.

Each token of a claim is compared with the answer's nearest token: as a word, and in its context after two, four and six
layers. How far the worst of them are from the answer says most of whether it tells the claim, since MiniLM was trained
to bring near what means alike. One more layer, in which a claim's tokens see the answer's, adds what nearness leaves
out. All in one pass; ten claims cost little more than one, and none of them can sway another.
"""

import math
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from service.entailment.packing import ANSWER

_HIDDEN = -1e4
_FAR = 4.0  # beyond any difference of cosines
_SHARP = 10.0  # how much the worst tokens outweigh the others
_FIRST, _LAST = 101, 102  # BERT's opening and closing tokens mean nothing by themselves
COMPARED = (0, 2, 4, 6)  # after how many layers
NEARNESS = 3 * len(COMPARED)


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
    """Reads rows made by `service.entailment.packing` and gives each claim a logit and its `NEARNESS` numbers."""

    def __init__(self, *, vocabulary: int, width: int, heads: int, inner: int, layers: int, positions: int) -> None:
        super().__init__()
        self.dropout, self.frozen = 0.1, 0
        self.words, self.places = nn.Embedding(vocabulary, width), nn.Embedding(positions, width)
        self.sides = nn.Embedding(2, width)
        self.embedding_norm = nn.LayerNorm(width, eps=1e-12)
        self.layers = nn.ModuleList(Layer(width, heads, inner) for _ in range(layers))
        self.hint = nn.Linear(len(COMPARED), width)
        self.joint = Layer(width, heads, inner)
        self.head = nn.Linear(2 * width, 1)
        self.weigh = nn.Linear(NEARNESS, 1)

    def forward(self, ids: Tensor, positions: Tensor, segments: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
        """Ids, positions and segments [rows, tokens], wanted [rows, claims].

        Logits [rows, claims], nearness [rows, claims, `NEARNESS`].
        """
        own = segments.unsqueeze(2) == segments.unsqueeze(1)
        with_answer = own | ((segments.unsqueeze(1) == ANSWER) & (segments.unsqueeze(2) > ANSWER))
        alone, together = ((~seen).to(torch.float32).unsqueeze(1) * _HIDDEN for seen in (own, with_answer))
        meant = (ids != _FIRST) & (ids != _LAST)
        told = (segments == ANSWER) & meant
        hidden = self.embedding_norm(self.words(ids) + self.places(positions) + self.sides.weight[0])
        near = [_nearest(hidden, told)]
        for at, layer in enumerate(self.layers, start=1):
            hidden = layer(hidden, alone, self.dropout if at > self.frozen else 0.0)
            if at in COMPARED:
                near.append(_nearest(hidden, told))
        nearest = torch.stack(near, -1)  # [rows, tokens, compared]
        mine = segments.unsqueeze(1) == wanted.unsqueeze(2)  # [rows, claims, tokens]
        nearness = _pooled(nearest, mine & meant.unsqueeze(1))
        hidden = self.joint(hidden + self.hint(nearest), together, self.dropout)
        first = (mine & (positions.unsqueeze(1) == 0)).to(torch.float32)
        every = mine.to(torch.float32)
        mean = every / every.sum(-1, keepdim=True).clamp(min=1.0)
        read = self.head(torch.cat([first @ hidden, mean @ hidden], -1))
        logits: Tensor = (read + self.weigh(10 * (nearness - 0.6))).squeeze(-1)
        return logits, nearness

    def freeze(self, layers: int) -> None:
        """Keep the embeddings and the lowest layers as they are."""
        self.frozen = layers
        for part in (self.words, self.places, self.sides, self.embedding_norm, *self.layers[:layers]):
            part.requires_grad_(requires_grad=False)


def _nearest(hidden: Tensor, told: Tensor) -> Tensor:
    """For each token the highest cosine to a token of the answer that means something; `told` [rows, tokens]."""
    unit = functional.normalize(hidden, dim=-1)
    strange = (~told).to(torch.float32).unsqueeze(1) * -_FAR
    return (unit @ unit.transpose(1, 2) + strange).max(dim=-1).values


def _pooled(nearest: Tensor, mine: Tensor) -> Tensor:
    """Of each claim's tokens the mean, the mean of mostly the worst, and the worst, [rows, claims, `NEARNESS`]."""
    share = mine.to(torch.float32)
    share = share / share.sum(-1, keepdim=True).clamp(min=1.0)
    worst = torch.log((share @ torch.exp(-_SHARP * nearest)).clamp(min=1e-9)) / -_SHARP
    least = (nearest.unsqueeze(1) + (~mine).to(torch.float32).unsqueeze(-1) * _FAR).min(dim=2).values
    return torch.cat([share @ nearest, worst, least], -1)


def from_minilm(weights: Path) -> Reader:
    """A reader with all-MiniLM-L6-v2's weights, in its joint layer those of the last one."""
    reader = Reader(vocabulary=30522, width=384, heads=12, inner=1536, layers=6, positions=512)
    reader.load_state_dict(
        {_ours(name): tensor for name, tensor in load_file(weights).items() if _ours(name)}, strict=False
    )
    reader.joint.load_state_dict(reader.layers[-1].state_dict())
    nn.init.normal_(reader.hint.weight, std=0.02)
    nn.init.zeros_(reader.hint.bias)
    for part in (reader.head, reader.weigh):
        nn.init.zeros_(part.weight)
        nn.init.zeros_(part.bias)
    with torch.no_grad():
        reader.weigh.weight[0, 2 * len(COMPARED) - 1] = (
            1.0  # the worst tokens in their context: a fair guess to begin with
        )
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
