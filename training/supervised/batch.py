"""Trees come in; what one step reads and learns goes out, as tensors in the layout that suits the device."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.supervised.attention import Blocks, Rows, Sight
from training.supervised.trees import Tree

_ROW = 2048  # tokens, but where a tree is longer


@dataclass(frozen=True, slots=True)
class Batch:
    """Ids and positions [rows, tokens] with who sees whom; of every token that is learnt, four columns.

    `before` is the place, in all rows laid end to end, of the token before it, `wanted` is itself, then its weight and
    its stage. `tokens` counts without padding.
    """

    ids: Tensor
    positions: Tensor
    sight: Sight
    before: Tensor
    wanted: Tensor
    weight: Tensor
    stage: Tensor
    tokens: int

    def to(self, device: torch.device) -> "Batch":
        """The same on a device."""
        ids, positions, before, wanted, weight, stage = (
            part.to(device, non_blocking=True)
            for part in (self.ids, self.positions, self.before, self.wanted, self.weight, self.stage)
        )
        return Batch(ids, positions, self.sight.to(device), before, wanted, weight, stage, self.tokens)


def end_to_end(trees: Sequence[Tree]) -> Batch:
    """All trees in one row, in blocks."""
    return _batch([trees], sum(len(tree.ids) for tree in trees), Blocks.of(trees))


def in_rows(trees: Sequence[Tree]) -> Batch:
    """The trees in rows of one width, as few as come of laying the longest first."""
    width = max(_ROW, *(len(tree.ids) for tree in trees))
    rows: list[list[Tree]] = []
    room: list[int] = []
    for tree in sorted(trees, key=lambda t: -len(t.ids)):
        at = next((n for n, left in enumerate(room) if left >= len(tree.ids)), None)
        if at is None:
            rows.append([])
            room.append(width)
            at = len(rows) - 1
        rows[at].append(tree)
        room[at] -= len(tree.ids)
    return _batch(rows, width, Rows.of(rows, width=width))


def layout(trees: Sequence[Tree], device: torch.device) -> Batch:
    """Whichever is quicker there."""
    return in_rows(trees) if device.type == "cuda" else end_to_end(trees)


def _batch(rows: Sequence[Sequence[Tree]], width: int, sight: Sight) -> Batch:
    ids, positions = (np.zeros((len(rows), width), dtype=np.int64) for _ in range(2))
    for at, row in enumerate(rows):
        for start, tree in _places(row):
            ids[at, start : start + len(tree.ids)] = tree.ids
            positions[at, start : start + len(tree.ids)] = tree.positions
    targets = [_learnt(tree, at * width + start) for at, row in enumerate(rows) for start, tree in _places(row)]
    before, wanted, weight, stage = (torch.from_numpy(np.concatenate(c)) for c in zip(*targets, strict=True))
    tokens = sum(len(tree.ids) for row in rows for tree in row)
    return Batch(torch.from_numpy(ids), torch.from_numpy(positions), sight, before, wanted, weight, stage, tokens)


def _places(row: Sequence[Tree]) -> Iterator[tuple[int, Tree]]:
    start = 0
    for tree in row:
        yield start, tree
        start += len(tree.ids)


def _learnt(
    tree: Tree, offset: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    weights = np.asarray(tree.weights, dtype=np.float32)
    learnt = np.flatnonzero(weights)
    previous = offset + tree.previous()[learnt]
    return previous, np.asarray(tree.ids)[learnt], weights[learnt], np.asarray(tree.stages)[learnt]
