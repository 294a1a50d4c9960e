"""How long distilling takes at the paper's size, on made-up vectors: `python -m training.preferences.bench`.

7,034 examples of six items each in 600 demands; encoding comes on top, at one encoding an item and one an example.
"""

import json
import random
import time

import numpy as np

from principles_store.schema import LEVELS, Dimension
from training.preferences.distil import Demand, distil

_EXAMPLES, _ITEMS, _DEMANDS, _WIDTH = 7034, 6, 600, 384


def main() -> None:
    """One line of JSON: sizes and seconds."""
    rng, picker = np.random.default_rng(1), random.Random(2)
    centres = rng.normal(size=(_DEMANDS, _WIDTH))
    rows = centres[rng.integers(_DEMANDS, size=_EXAMPLES * _ITEMS)] + 0.5 * rng.normal(
        size=(_EXAMPLES * _ITEMS, _WIDTH)
    )
    vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    scenarios = [{d: picker.choice(LEVELS[d]) for d in Dimension} for _ in range(_EXAMPLES)]
    demands = [
        Demand(f"e{at // _ITEMS}", "reader", str(at), at % 4 > 0, 5, scenarios[at // _ITEMS]) for at in range(len(rows))
    ]
    began = time.perf_counter()
    proposals = distil(demands, lambda _: vectors)
    seconds = time.perf_counter() - began
    print(json.dumps({"demands": len(demands), "proposals": len(proposals), "seconds": round(seconds, 1)}))


if __name__ == "__main__":
    main()
