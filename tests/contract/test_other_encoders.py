"""Any transformer that is pooled by mean or first token becomes the gateway's encoder; what it cannot be is refused."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from principles_store.encoder import Encoder, Precision
from principles_store.paths import PACKAGE
from tests.contract.tiny_encoders_texts import TEXTS
from tests.shipped_store import training_python

pytestmark = [pytest.mark.training, pytest.mark.slow, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    run = subprocess.run(
        [training_python(), "-m", "tests.contract.tiny_encoders", str(tmp_path_factory.mktemp("tiny"))],
        capture_output=True,
        text=True,
        check=True,
        cwd=PACKAGE.parent,
        timeout=380,
    )
    return dict(json.loads(run.stdout))


@pytest.mark.parametrize("precision", Precision)
@pytest.mark.parametrize(("name", "pooling"), [("mean", "mean"), ("cls", "cls"), ("without", "mean")])
def test_another_model_gives_the_vectors_that_it_gave(
    name: str, pooling: str, precision: Precision, tried: dict[str, Any]
) -> None:
    encoder = Encoder.load(Path(tried[name]["out"]), precision=precision)
    cosines = np.sum(encoder.encode(TEXTS) * np.array(tried[name]["vectors"], dtype=np.float32), axis=1)
    assert (tried[name]["status"], encoder.description.pooling, encoder.dimension) == (0, pooling, 32)
    assert cosines.min() >= 0.999


def test_the_two_poolings_are_two_encoders(tried: dict[str, Any]) -> None:
    assert not np.allclose(tried["mean"]["vectors"], tried["cls"]["vectors"], atol=0.05)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("max", "pooling 'max': only a transformer pooled by"),
        ("dense", "'Dense'], pooling 'mean': only a transformer pooled by"),
        ("prompts", "its prompts query, passage would be left out"),
        ("e5", "the prefixes of e5-tiny-v2 would be left out"),
    ],
)
def test_a_model_that_is_read_otherwise_is_refused_and_leaves_nothing(
    name: str, said: str, tried: dict[str, Any]
) -> None:
    assert said in tried[name]["status"]
    assert tried[name]["out"] is None
