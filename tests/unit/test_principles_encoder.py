"""The encoder's own arithmetic, and the folders it refuses."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from principles_store.encoder import DESCRIPTION, TOKENIZER, Encoder, Precision, normalise, pool, sha256_of
from principles_store.errors import EncoderUnusable
from tests.principles_fakes import WIDTH, WordEncoder

SHAPES = st.tuples(st.integers(1, 5), st.integers(1, 6))
VECTORS = arrays.arrays(np.float32, SHAPES, elements=st.floats(-9, 9, width=16))


@given(VECTORS)
def test_normalised_rows_have_length_one_or_stay_zero(vectors: np.ndarray) -> None:
    lengths = np.linalg.norm(normalise(vectors), axis=1)
    expected = np.where(np.linalg.norm(vectors, axis=1) > 0, 1.0, 0.0)
    assert lengths == pytest.approx(expected, abs=1e-4)


def test_the_mean_is_over_tokens_and_cls_is_the_first() -> None:
    hidden = np.array([[1.0, 0.0], [3.0, 2.0]], dtype=np.float32)
    assert pool(hidden, "mean").tolist() == [2.0, 1.0]
    assert pool(hidden, "cls").tolist() == [1.0, 0.0]


def test_no_texts_give_no_vectors() -> None:
    assert WordEncoder().encode([]).shape == (0, WIDTH)


def test_the_digest_tells_models_and_precisions_apart() -> None:
    digests = {
        WordEncoder().digest,
        WordEncoder("other").digest,
        WordEncoder(precision=Precision.INT8).digest,
    }
    assert len(digests) == 3


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files with the right hashes, but no model inside."""
    (tmp_path / TOKENIZER).write_text('{"model": {"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"}}', "utf-8")
    (tmp_path / "model.onnx").write_bytes(b"no model")
    describe(tmp_path)
    return tmp_path


def describe(folder: Path, **changes: Any) -> None:
    content = {
        "name": "x",
        "dimension": 4,
        "max_tokens": 16,
        "pooling": "mean",
        "source_sha256": "0",
        "tokenizer_sha256": sha256_of(folder / TOKENIZER),
        "models": {"fp32": {"file": "model.onnx", "sha256": sha256_of(folder / "model.onnx")}},
    }
    (folder / DESCRIPTION).write_text(json.dumps({**content, **changes}), encoding="utf-8")


def test_a_folder_that_is_not_there_is_refused_with_the_command_that_builds_it(tmp_path: Path) -> None:
    with pytest.raises(EncoderUnusable, match=r"encoder\.json: no such file: .*training\.encoder_export"):
        Encoder.load(tmp_path / "missing")


@pytest.mark.parametrize("file", ["model.onnx", TOKENIZER])
def test_a_file_that_was_changed_is_refused_with_both_hashes(folder: Path, file: str) -> None:
    expected = sha256_of(folder / file)
    (folder / file).write_bytes(b"changed")
    with pytest.raises(EncoderUnusable) as refused:
        Encoder.load(folder)
    assert file in str(refused.value)
    assert expected in str(refused.value)
    assert sha256_of(folder / file) in str(refused.value)


@pytest.mark.parametrize("file", ["model.onnx", TOKENIZER])
def test_a_file_that_is_missing_is_refused(folder: Path, file: str) -> None:
    (folder / file).unlink()
    with pytest.raises(EncoderUnusable, match=f"{file}: no such file"):
        Encoder.load(folder)


def test_a_precision_that_was_not_exported_is_refused(folder: Path) -> None:
    with pytest.raises(EncoderUnusable, match="has no int8 model"):
        Encoder.load(folder, precision=Precision.INT8)


@pytest.mark.parametrize("change", [{"pooling": "max"}, {"dimension": 0}, {"extra": 1}], ids=lambda c: next(iter(c)))
def test_a_description_that_does_not_fit_is_refused(folder: Path, change: dict[str, object]) -> None:
    describe(folder, **change)
    with pytest.raises(EncoderUnusable, match="not a description of an encoder"):
        Encoder.load(folder)


def test_a_file_that_onnx_runtime_cannot_read_is_refused(folder: Path) -> None:
    with pytest.raises(EncoderUnusable, match=r"model\.onnx: ONNX Runtime cannot read it"):
        Encoder.load(folder)
