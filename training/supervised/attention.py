"""Who sees whom among the tokens of several trees, in two layouts that give the same: blocks end to end, and rows.

Blocks are a third of the work of one mask over all tokens, and want a call for each: the better way on a CPU. Rows are
padded and read in one call: the better way on a GPU.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from transformers import AttentionInterface

from training.supervised.trees import Tree

NAME = "tree"
# Added to the score of what a token must not see.
_HIDDEN = -1e4


class Sight(Protocol):
    """A layout of trees over a batch [rows, tokens]."""

    def attend(self, query: Tensor, key: Tensor, value: Tensor, scaling: float) -> Tensor:
        """Attention over [rows, heads, tokens, width], each with as many heads."""
        ...

    def to(self, device: torch.device) -> "Sight":
        """The same on a device."""
        ...


@dataclass(frozen=True, slots=True)
class Block:
    """The next `size` tokens: they attend to block `root` (-1: none) and, where `bias` allows, to one another."""

    size: int
    root: int
    bias: Tensor


@dataclass(frozen=True, slots=True)
class Blocks:
    """All trees in one row."""

    blocks: Sequence[Block]

    @classmethod
    def of(cls, trees: Sequence[Tree]) -> "Blocks":
        """Laid end to end."""
        found: list[Block] = []
        for tree in trees:
            root, reach = -1, 0
            for start, end, visible in tree.blocks():
                bias = np.zeros((end - start, reach + end - start), dtype=np.float32)
                bias[:, reach:][~visible] = _HIDDEN
                found.append(Block(end - start, root, torch.from_numpy(bias)))
                if root < 0:
                    root, reach = len(found) - 1, end
        return cls(found)

    def attend(self, query: Tensor, key: Tensor, value: Tensor, scaling: float) -> Tensor:
        """Block by block."""
        sizes = [block.size for block in self.blocks]
        queries, keys, values = (x.split(sizes, 2) for x in (query, key, value))
        mixed = []
        for at, block in enumerate(self.blocks):
            seen = [at] if block.root < 0 else [block.root, at]
            own, theirs = torch.cat([keys[i] for i in seen], 2), torch.cat([values[i] for i in seen], 2)
            mixed.append(
                functional.scaled_dot_product_attention(queries[at], own, theirs, attn_mask=block.bias, scale=scaling)
            )
        return torch.cat(mixed, 2)

    def to(self, device: torch.device) -> "Blocks":
        """The same on a device."""
        return Blocks([Block(b.size, b.root, b.bias.to(device)) for b in self.blocks])


@dataclass(slots=True)
class Rows:
    """Each token's segment [rows, tokens], and which segments see which [rows, segments, segments]."""

    segments: Tensor
    kin: Tensor
    bias: Tensor | None = None

    @classmethod
    def of(cls, rows: Sequence[Sequence[Tree]], *, width: int) -> "Rows":
        """Trees laid in rows of `width` tokens. Padding is a segment of its own, the last."""
        most = 1 + max(sum(len(tree.parents) for tree in row) for row in rows)
        segments = np.full((len(rows), width), most - 1, dtype=np.int64)
        kin = np.zeros((len(rows), most, most), dtype=np.bool_)
        kin[:, -1, -1] = True
        for at, row in enumerate(rows):
            first = start = 0
            for tree in row:
                segments[at, start : start + len(tree.ids)] = first + np.asarray(tree.segments)
                count = len(tree.parents)
                kin[at, first : first + count, first : first + count] = tree.kin()
                first, start = first + count, start + len(tree.ids)
        return cls(torch.from_numpy(segments), torch.from_numpy(kin))

    def attend(self, query: Tensor, key: Tensor, value: Tensor, scaling: float) -> Tensor:
        """All rows at once."""
        if self.bias is None:
            self.bias = self._bias(query.dtype)
        return functional.scaled_dot_product_attention(query, key, value, attn_mask=self.bias, scale=scaling)

    def to(self, device: torch.device) -> "Rows":
        """The same on a device."""
        return Rows(self.segments.to(device), self.kin.to(device))

    def _bias(self, dtype: torch.dtype) -> Tensor:
        """[rows, 1, tokens, tokens], made where the segments are: it is a thousand times their size."""
        row = torch.arange(len(self.segments), device=self.segments.device)[:, None, None]
        seen = self.kin[row, self.segments[:, :, None], self.segments[:, None, :]].tril()
        hidden = torch.zeros(seen.shape, dtype=dtype, device=seen.device)
        return hidden.masked_fill_(~seen, _HIDDEN)[:, None]


def _attention(
    _module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    _mask: None,
    *,
    scaling: float,
    sight: Sight,
    **_: object,
) -> tuple[Tensor, None]:
    shared = query.shape[1] // key.shape[1]
    key, value = (x.repeat_interleave(shared, 1) for x in (key, value))
    return sight.attend(query, key, value, scaling).transpose(1, 2), None


AttentionInterface.register(NAME, _attention)
