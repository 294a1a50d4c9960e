"""A query in; a vector of the shape of its words out: what tells a clinician's shorthand from a worried message."""

import re
import zlib
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

SURFACE_WIDTH: Final = 2048
# How much the words' shape weighs beside the unit vector of their meaning.
SURFACE_LENGTH: Final = 0.7
_TOKEN: Final = re.compile(r"\w+|[?.!,]")


def surface(text: str) -> NDArray[np.float32]:
    """Words, marks and their neighbours, digits made alike, hashed into 2,048 places; length 0.7, or 0 of nothing."""
    tokens = _TOKEN.findall(re.sub(r"\d", "0", text.lower()))
    vector = np.zeros(SURFACE_WIDTH, dtype=np.float32)
    for feature in [*tokens, *(f"{one} {other}" for one, other in pairwise(tokens))]:
        vector[zlib.crc32(feature.encode()) % SURFACE_WIDTH] = 1.0
    return vector * np.float32(SURFACE_LENGTH / max(float(np.linalg.norm(vector)), 1.0))
