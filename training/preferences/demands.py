"""Accepted rubrics and their examples' questions in; demands with scenarios, and their criteria's vectors, out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from principles_store.schema import Dimension
from training.preferences.distil import Demand, Encode
from training.preferences.drafting import items_of

Scenario = Mapping[Dimension, str]
Progress = Callable[[Sequence[str]], Iterable[str]]


def demands_of(
    accepted: Iterable[Mapping[str, Any]],
    asked: Mapping[str, str],
    scenario_of: Callable[[str], Scenario],
    *,
    progress: Progress = lambda names: names,
) -> list[Demand]:
    """Every criterion of every accepted rubric, with the scenario of its question; `asked` holds these by example."""
    scenarios = {name: scenario_of(asked[name]) for name in progress(list(asked))}
    return [
        Demand(one["id"], one["author"], item.criterion, item.polarity == "must", item.weight, scenarios[one["id"]])
        for one in accepted
        for item in items_of(one["items"])
    ]


def encoding(encode_one: Callable[[str], NDArray[np.float32]], *, progress: Progress = lambda texts: texts) -> Encode:
    """Texts to vectors [texts, dimension], each text once: two readers of a draft keep the same words."""

    def encode(texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = {text: encode_one(text) for text in progress(list(dict.fromkeys(texts)))}
        return np.stack([vectors[text] for text in texts])

    return encode
