"""Unit vectors in, the nearest of them out: the only door to FAISS."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from principles_store.errors import IndexUnusable


class VectorIndex:
    """An exact index over unit vectors: inner product is cosine. Read-only once built, so threads may share it."""

    def __init__(self, flat: Any) -> None:
        self._flat = flat
        self._vectors = np.asarray(flat.reconstruct_n(0, flat.ntotal), dtype=np.float32).reshape(-1, flat.d)

    @classmethod
    def build(cls, vectors: NDArray[np.float32]) -> Self:
        """Index the rows of [count, dimension]."""
        flat = faiss.IndexFlatIP(vectors.shape[1])
        flat.add(np.ascontiguousarray(vectors, dtype=np.float32))
        return cls(flat)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a saved index.

        Raises:
            IndexUnusable: FAISS cannot read the file, or it holds another kind of index.

        """
        try:
            flat = faiss.read_index(str(path))
        except RuntimeError as error:
            raise IndexUnusable(f"{path}: FAISS cannot read it: run `clinalign principles build`") from error
        if not isinstance(flat, faiss.IndexFlat):
            raise IndexUnusable(f"{path}: holds a {type(flat).__name__}, not flat: run `clinalign principles build`")
        return cls(flat)

    def save(self, path: Path) -> None:
        """Write the index to one file."""
        faiss.write_index(self._flat, str(path))

    def __len__(self) -> int:
        return int(self._flat.ntotal)

    @property
    def dimension(self) -> int:
        """Width of a vector."""
        return int(self._flat.d)

    def search(self, vector: NDArray[np.float32], *, limit: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Positions and cosines of the `limit` nearest to one unit vector, nearest first.

        Raises:
            IndexUnusable: there is nothing to search.

        """
        if not len(self):
            raise IndexUnusable("the index is empty: run `clinalign principles build`")
        cosines, positions = self._flat.search(np.ascontiguousarray(vector[None, :]), min(limit, len(self)))
        return positions[0], cosines[0]

    def vectors(self, positions: Sequence[int] | NDArray[np.int64]) -> NDArray[np.float32]:
        """The vectors at these positions, [count, dimension]."""
        return self._vectors[np.asarray(positions, dtype=np.int64)]
