"""The small judge's network: a MiniLM that reads answer and claims apart, and layers in which claims read the answer.

Each token of a claim is compared with the answer's nearest token: as a word, and in its context after two, four and six
layers; in the whole answer, and in that stretch of it that has most. How far the worst of them are from the answer says
most of whether it tells the claim, since MiniLM was trained to bring near what means alike. Copies of its upper layers
branch off below them and are trained: in these a claim's tokens see the answer's. All in one pass; ten claims cost
little more than one, and none of them can sway another.

Where the question is known, a token that is near to one of its tokens counts for less: that the answer has the
question's own words tells little of it. That moves nearness alone: the logit is the same whatever was asked.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from service.entailment.packing import ANSWER, QUESTION

_HIDDEN = -1e4
_FAR = 4.0  # beyond any difference of cosines
_SHARP = 10.0  # how much the worst tokens outweigh the others
_FIRST, _LAST = 101, 102  # BERT's opening and closing tokens mean nothing by themselves
COMPARED = (0, 2, 4, 6)  # after how many layers
NEARNESS = 7 * len(COMPARED) + 1
_UNASKED = 5 * len(COMPARED)  # of these the numbers that no question moves
_STRETCH = 32  # tokens of the answer among which a claim's all look for their like
_DOUBLED = (1, 2, 4, 8, 16)  # windows of twice as many tokens each time
_PHRASE = 12  # tokens of the answer whose mean is compared with the claim's
_HALF = 0.5
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
    """What MiniLM makes of a row.

    Each token where the trained layers branch off [rows, tokens, width], its nearness to answer and question [rows,
    tokens, compared], each claim's nearness to the best stretch and phrase of the answer [rows, claims, 2 * compared],
    and how near claim and question are as a whole [rows, claims, 1].
    """

    hidden: Tensor
    near: Tensor
    known: Tensor
    local: Tensor
    about: Tensor


class Reader(nn.Module):
    """Reads rows made by `service.entailment.packing` and gives each claim a logit and its `NEARNESS` numbers."""

    def __init__(
        self, *, vocabulary: int, width: int, heads: int, inner: int, layers: int, positions: int, branch: int
    ) -> None:
        super().__init__()
        self.dropout = 0.1
        self.branch = branch
        self.words, self.places = nn.Embedding(vocabulary, width), nn.Embedding(positions, width)
        self.sides = nn.Embedding(2, width)
        self.embedding_norm = nn.LayerNorm(width, eps=1e-12)
        self.layers = nn.ModuleList(Layer(width, heads, inner) for _ in range(layers))
        self.hint = nn.Linear(2 * len(COMPARED), width)
        self.joint = nn.ModuleList(Layer(width, heads, inner) for _ in range(max(1, layers - branch)))
        self.head = nn.Linear(2 * width, 1)
        self.weigh = nn.Linear(_UNASKED, 1)

    def forward(self, ids: Tensor, positions: Tensor, segments: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
        """Ids, positions and segments [rows, tokens], wanted [rows, claims].

        Logits [rows, claims], nearness [rows, claims, `NEARNESS`].
        """
        understood = self.understand(ids, positions, segments, wanted)
        return self.judge(understood, ids, positions, segments, wanted)

    def understand(self, ids: Tensor, positions: Tensor, segments: Tensor, wanted: Tensor) -> Understood:
        """What MiniLM makes of each segment by itself; nothing here is trained."""
        alone = _hiding(_own(segments))
        told, asked = ((segments == side) & _meant(ids) for side in (ANSWER, QUESTION))
        mine = segments.unsqueeze(1) == wanted.unsqueeze(2)
        share = (mine & _meant(ids).unsqueeze(1)).to(torch.float32)
        hidden = self.embedding_norm(self.words(ids) + self.places(positions) + self.sides.weight[0])
        read = [_compared(hidden, told, asked, share)]
        branched = hidden
        for at, layer in enumerate(self.layers, start=1):
            hidden = layer(hidden, alone, 0.0)
            if at == self.branch:
                branched = hidden
            if at in COMPARED:
                read.append(_compared(hidden, told, asked, share))
        near, known, stretch, phrase = (torch.stack(each, -1) for each in zip(*read, strict=True))
        question = functional.normalize(_mean((segments == QUESTION).unsqueeze(1), hidden), dim=-1)
        about = functional.normalize(_mean(mine, hidden), dim=-1) @ question.transpose(1, 2)
        # 0 where nothing was asked, and never so much that a token no longer counts
        known = known.clamp(0.0, 1.0 - _LEAST_WEIGHT)
        return Understood(branched, near, known, torch.cat([stretch, phrase], -1), about)

    def unasked(self, understood: Understood, ids: Tensor, segments: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
        """Which tokens are each claim's [rows, claims, tokens], and the nearness that no question moves."""
        mine = segments.unsqueeze(1) == wanted.unsqueeze(2)
        plain, _ = _pooled(understood.near, torch.zeros_like(understood.near), mine & _meant(ids).unsqueeze(1))
        return mine, torch.cat([plain, understood.local], -1)

    def judge(
        self, understood: Understood, ids: Tensor, positions: Tensor, segments: Tensor, wanted: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What claims find in the answer: logits and nearness as `forward` gives them."""
        near, known = understood.near, understood.known
        mine = segments.unsqueeze(1) == wanted.unsqueeze(2)  # [rows, claims, tokens]
        plain, new = _pooled(near, known, mine & _meant(ids).unsqueeze(1))
        unasked = torch.cat([plain, understood.local], -1)
        logits = self.weighed(understood, torch.zeros_like(known), unasked, positions, segments, mine)
        return logits, torch.cat([unasked, new, understood.about], -1)

    def weighed(
        self, understood: Understood, known: Tensor, unasked: Tensor, positions: Tensor, segments: Tensor, mine: Tensor
    ) -> Tensor:
        """Each claim's logit. `known` is what tokens have of the question: half the training is told it, no verdict is.

        So the layers need not learn by heart what is topic, and no question moves the logit.
        """
        seen = _hiding(_own(segments) | ((segments.unsqueeze(1) == ANSWER) & (segments.unsqueeze(2) > ANSWER)))
        hidden = understood.hidden + self.hint(torch.cat([understood.near, known], -1))
        for layer in self.joint:
            hidden = layer(hidden, seen, self.dropout)
        first = (mine & (positions.unsqueeze(1) == 0)).to(torch.float32)
        read = self.head(torch.cat([first @ hidden, _mean(mine, hidden)], -1))
        logits: Tensor = (read + self.weigh(10 * (unasked - 0.6))).squeeze(-1)
        return logits

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


def _compared(hidden: Tensor, told: Tensor, asked: Tensor, share: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of one layer: each token's highest cosine to the answer's and to the question's, each claim's to its best part.

    `told` and `asked` say which tokens are the answer's and the question's [rows, tokens], `share` [rows, claims,
    tokens] which are each claim's. Far below where there are none.
    """
    unit = functional.normalize(hidden, dim=-1)
    alike = unit @ unit.transpose(1, 2)
    strange = (~told).to(torch.float32).unsqueeze(1) * -_FAR
    to_answer = alike + strange
    to_question = alike + (~asked).to(torch.float32).unsqueeze(1) * -_FAR
    nearest = to_answer.max(dim=-1).values
    return nearest, to_question.max(dim=-1).values, _stretch(to_answer, share), _phrase(hidden, told, share)


def _stretch(alike: Tensor, share: Tensor) -> Tensor:
    """How near mostly the worst of a claim's tokens come to the stretch that suits it best, [rows, claims]."""
    best = functional.pad(alike, (0, _STRETCH), value=-_FAR)
    for width in _DOUBLED:
        best = torch.maximum(best[..., :-width], best[..., width:])
    far = share @ torch.exp(-_SHARP * best) / share.sum(-1, keepdim=True).clamp(min=1.0)
    return _log(far).max(dim=-1).values


def _phrase(hidden: Tensor, told: Tensor, share: Tensor) -> Tensor:
    """The highest cosine of a claim's mean to that of some tokens of the answer that stand together, [rows, claims]."""
    inside = told.to(torch.float32).unsqueeze(-1)
    sums, counts = _sliding(hidden * inside), _sliding(inside)
    partial = (counts < counts.max(dim=1, keepdim=True).values - _HALF).to(torch.float32)
    claims = functional.normalize(share @ hidden, dim=-1)
    cosines = claims @ functional.normalize(sums, dim=-1).transpose(1, 2) - _FAR * partial.transpose(1, 2)
    return cosines.max(dim=-1).values


def _sliding(values: Tensor) -> Tensor:
    """Sums over `_PHRASE` tokens from each on, [rows, tokens, width]."""
    sums = functional.pad(values, (0, 0, 1, _PHRASE)).cumsum(dim=1)
    return sums[:, _PHRASE:] - sums[:, :-_PHRASE]


def _pooled(nearest: Tensor, known: Tensor, mine: Tensor) -> tuple[Tensor, Tensor]:
    """Of each claim's tokens the mean, the mean of mostly the worst, and the worst, [rows, claims, 3 * compared].

    And the first two again with tokens weighed by how far they are from the question's; `mine` [rows, claims, tokens].
    """
    share = mine.to(torch.float32)
    worst = torch.exp(-_SHARP * nearest)
    fresh = 1.0 - known
    plain, new = share.sum(-1, keepdim=True).clamp(min=1.0), (share @ fresh).clamp(min=_LEAST_WEIGHT)
    pools = [share @ nearest / plain, _log(share @ worst / plain)]
    least = (nearest.unsqueeze(1) + (~mine).to(torch.float32).unsqueeze(-1) * _FAR).min(dim=2).values
    fresh_pools = [share @ (fresh * nearest) / new, _log(share @ (fresh * worst) / new)]
    return torch.cat([*pools, least], -1), torch.cat(fresh_pools, -1)


def _log(mean: Tensor) -> Tensor:
    """Back from the mean of exponentials to a cosine."""
    return torch.log(mean.clamp(min=1e-9)) / -_SHARP


def _mean(mine: Tensor, hidden: Tensor) -> Tensor:
    """The mean of each claim's tokens, [rows, claims, width]; 0 of none. `mine` [rows, claims, tokens]."""
    every = mine.to(torch.float32)
    return every / every.sum(-1, keepdim=True).clamp(min=1.0) @ hidden


def from_minilm(weights: Mapping[str, Tensor], *, branch: int, vocabulary: int = 30522) -> Reader:
    """A reader with all-MiniLM-L6-v2's weights, in its trained layers those that it had above the branch."""
    reader = Reader(vocabulary=vocabulary, width=384, heads=12, inner=1536, layers=6, positions=512, branch=branch)
    found = {_ours(name): tensor.float() for name, tensor in weights.items() if _ours(name)}
    reader.load_state_dict(found, strict=False)
    for layer, origin in zip(reversed(reader.joint), reversed(reader.layers), strict=False):
        layer.load_state_dict(origin.state_dict())
    nn.init.normal_(reader.hint.weight, std=0.02)
    nn.init.zeros_(reader.hint.bias)
    for part in (reader.head, reader.weigh):
        nn.init.zeros_(part.weight)
        nn.init.zeros_(part.bias)
    with torch.no_grad():
        # the worst tokens in their context: a fair guess to begin with
        reader.weigh.weight[0, 2 * len(COMPARED) - 1] = 1.0
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
