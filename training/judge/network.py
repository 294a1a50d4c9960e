"""The small judge's network: a MiniLM that reads answer and claims apart, and a layer in which claims read the answer.

Each token of a claim is compared with the answer's nearest token: as a word, and in its context after two, four and six
layers. How far the worst of them are from the answer says most of whether it tells the claim, since MiniLM was trained
to bring near what means alike. One more layer, in which a claim's tokens see the answer's, adds what nearness leaves
out. All in one pass; ten claims cost little more than one, and none of them can sway another.

Where the question is known, a token that is near to one of its tokens counts for less: that the answer has the
question's own words tells little of it. That moves nearness alone: the logit is the same whatever was asked.
"""

import math
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from service.entailment.packing import ANSWER, QUESTION

_HIDDEN = -1e4
_FAR = 4.0  # beyond any difference of cosines
_SHARP = 10.0  # how much the worst tokens outweigh the others
_FIRST, _LAST = 101, 102  # BERT's opening and closing tokens mean nothing by themselves
COMPARED = (0, 2, 4, 6)  # after how many layers
NEARNESS = 5 * len(COMPARED) + 1
_UNASKED = 3 * len(COMPARED)  # of these the numbers that no question moves
_LEAST_WEIGHT = 0.1  # of a token that the question has as well


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


class Understood(NamedTuple):
    """Each token in its context [rows, tokens, width], its nearness to answer and question [rows, tokens, compared]."""

    hidden: Tensor
    near: Tensor
    known: Tensor


class Reader(nn.Module):
    """Reads rows made by `service.entailment.packing` and gives each claim a logit and its `NEARNESS` numbers."""

    def __init__(self, *, vocabulary: int, width: int, heads: int, inner: int, layers: int, positions: int) -> None:
        super().__init__()
        self.dropout = 0.1
        self.words, self.places = nn.Embedding(vocabulary, width), nn.Embedding(positions, width)
        self.sides = nn.Embedding(2, width)
        self.embedding_norm = nn.LayerNorm(width, eps=1e-12)
        self.layers = nn.ModuleList(Layer(width, heads, inner) for _ in range(layers))
        self.hint = nn.Linear(len(COMPARED), width)
        self.joint = Layer(width, heads, inner)
        self.head = nn.Linear(2 * width, 1)
        self.weigh = nn.Linear(_UNASKED, 1)

    def forward(self, ids: Tensor, positions: Tensor, segments: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
        """Ids, positions and segments [rows, tokens], wanted [rows, claims].

        Logits [rows, claims], nearness [rows, claims, `NEARNESS`].
        """
        return self.judge(self.understand(ids, positions, segments), ids, positions, segments, wanted)

    def understand(self, ids: Tensor, positions: Tensor, segments: Tensor) -> Understood:
        """What MiniLM makes of each segment by itself; nothing here is trained."""
        alone = _hiding(_own(segments))
        told, asked = ((segments == side) & _meant(ids) for side in (ANSWER, QUESTION))
        hidden = self.embedding_norm(self.words(ids) + self.places(positions) + self.sides.weight[0])
        near, known = [_nearest(hidden, told)], [_nearest(hidden, asked)]
        for at, layer in enumerate(self.layers, start=1):
            hidden = layer(hidden, alone, 0.0)
            if at in COMPARED:
                near.append(_nearest(hidden, told))
                known.append(_nearest(hidden, asked))
        # 0 where nothing was asked, and never so much that a token no longer counts
        return Understood(hidden, torch.stack(near, -1), torch.stack(known, -1).clamp(0.0, 1.0 - _LEAST_WEIGHT))

    def judge(
        self, understood: Understood, ids: Tensor, positions: Tensor, segments: Tensor, wanted: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What claims find in the answer: logits and nearness as `forward` gives them."""
        hidden, near, known = understood
        mine = segments.unsqueeze(1) == wanted.unsqueeze(2)  # [rows, claims, tokens]
        question = functional.normalize(_mean((segments == QUESTION).unsqueeze(1), hidden), dim=-1)
        about = functional.normalize(_mean(mine, hidden), dim=-1) @ question.transpose(1, 2)
        nearness = torch.cat([_pooled(near, known, mine & _meant(ids).unsqueeze(1)), about], -1)
        with_answer = _own(segments) | ((segments.unsqueeze(1) == ANSWER) & (segments.unsqueeze(2) > ANSWER))
        hidden = self.joint(hidden + self.hint(near), _hiding(with_answer), self.dropout)
        first = (mine & (positions.unsqueeze(1) == 0)).to(torch.float32)
        read = self.head(torch.cat([first @ hidden, _mean(mine, hidden)], -1))
        logits: Tensor = (read + self.weigh(10 * (nearness[..., :_UNASKED] - 0.6))).squeeze(-1)
        return logits, nearness

    def freeze(self) -> None:
        """Keep what came with MiniLM as it is."""
        for part in (self.words, self.places, self.sides, self.embedding_norm, *self.layers):
            part.requires_grad_(requires_grad=False)


def _own(segments: Tensor) -> Tensor:
    return segments.unsqueeze(2) == segments.unsqueeze(1)


def _hiding(seen: Tensor) -> Tensor:
    """What is added to the scores of attention, [rows, 1, tokens, tokens]."""
    return (~seen).to(torch.float32).unsqueeze(1) * _HIDDEN


def _meant(ids: Tensor) -> Tensor:
    return (ids != _FIRST) & (ids != _LAST)


def _nearest(hidden: Tensor, told: Tensor) -> Tensor:
    """For each token the highest cosine to a token that is among `told` [rows, tokens]; far below where none is."""
    unit = functional.normalize(hidden, dim=-1)
    strange = (~told).to(torch.float32).unsqueeze(1) * -_FAR
    return (unit @ unit.transpose(1, 2) + strange).max(dim=-1).values


def _pooled(nearest: Tensor, known: Tensor, mine: Tensor) -> Tensor:
    """Of each claim's tokens the mean, the mean of mostly the worst, and the worst, [rows, claims, 5 * compared].

    Then the first two again with tokens weighed by how far they are from the question's; `mine` [rows, claims, tokens].
    """
    share = mine.to(torch.float32)
    worst = torch.exp(-_SHARP * nearest)
    fresh = 1.0 - known
    plain, new = share.sum(-1, keepdim=True).clamp(min=1.0), (share @ fresh).clamp(min=_LEAST_WEIGHT)
    pools = [share @ nearest / plain, _log(share @ worst / plain)]
    least = (nearest.unsqueeze(1) + (~mine).to(torch.float32).unsqueeze(-1) * _FAR).min(dim=2).values
    return torch.cat([*pools, least, share @ (fresh * nearest) / new, _log(share @ (fresh * worst) / new)], -1)


def _log(mean: Tensor) -> Tensor:
    """Back from the mean of exponentials to a cosine."""
    return torch.log(mean.clamp(min=1e-9)) / -_SHARP


def _mean(mine: Tensor, hidden: Tensor) -> Tensor:
    """The mean of each claim's tokens, [rows, claims, width]; 0 of none. `mine` [rows, claims, tokens]."""
    every = mine.to(torch.float32)
    return every / every.sum(-1, keepdim=True).clamp(min=1.0) @ hidden


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
