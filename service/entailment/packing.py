"""Token ids of one answer and of all that is asked of it become one row: claims read the answer, never each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

ANSWER: Final = 0
PADDING: Final = -1
QUESTION: Final = -2


@dataclass(frozen=True, slots=True)
class Row:
    """One row of `tokens`: ids, positions (from 0 in each segment) and segments.

    Segment 0 is the answer, k from 1 on is claim k, and `QUESTION` what was asked, where that is known.
    """

    ids: NDArray[np.int64]
    positions: NDArray[np.int64]
    segments: NDArray[np.int64]

    @property
    def wanted(self) -> NDArray[np.int64]:
        """The segments to be judged, [claims]."""
        return np.arange(1, int(self.segments.max(initial=0)) + 1, dtype=np.int64)


def pack(answer: Sequence[int], claims: Sequence[Sequence[int]], question: Sequence[int] = ()) -> Row:
    """Lay answer, claims and question side by side; each comes with its own opening and closing tokens."""
    parts = [answer, *claims, question]
    names = [ANSWER, *range(1, len(claims) + 1), QUESTION]
    return Row(
        np.concatenate([np.asarray(part, dtype=np.int64) for part in parts]),
        np.concatenate([np.arange(len(part), dtype=np.int64) for part in parts]),
        np.concatenate([np.full(len(part), k, dtype=np.int64) for k, part in zip(names, parts, strict=True)]),
    )


def stack(rows: Sequence[Row]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Ids, positions and segments, [rows, longest] each; what is padded belongs to no segment."""
    longest = max(len(row.ids) for row in rows)
    ids, positions = (np.zeros((len(rows), longest), dtype=np.int64) for _ in range(2))
    segments = np.full((len(rows), longest), PADDING, dtype=np.int64)
    for at, row in enumerate(rows):
        ids[at, : len(row.ids)] = row.ids
        positions[at, : len(row.ids)] = row.positions
        segments[at, : len(row.ids)] = row.segments
    return ids, positions, segments
