"""Texts in, unit vectors out, on ONNX Runtime: the encoder of the request path, without torch."""

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Literal, Self

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError
from tokenizers import Tokenizer

from principles_store.errors import EncoderUnusable

DESCRIPTION: Final = "encoder.json"
TOKENIZER: Final = "tokenizer.json"
RECENT: Final = 256  # texts whose vectors are kept: 400 kB
_BUILD: Final = "build it with `python -m training.encoder_export --out FOLDER`"


class Precision(StrEnum):
    """The arithmetic of the model's weights: whole, or quantised to a byte each."""

    FP32 = "fp32"
    INT8 = "int8"


class ModelFile(BaseModel):
    """One ONNX file of the folder and the hash it must have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    sha256: str


class EncoderDescription(BaseModel):
    """What `encoder.json` says: which model this is, and the hashes of its files.

    `source_sha256` is that of the weights it was exported from; `max_tokens` is where longer texts are cut.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    dimension: PositiveInt
    max_tokens: PositiveInt
    pooling: Literal["mean", "cls"]
    source_sha256: str
    tokenizer_sha256: str
    models: dict[Precision, ModelFile]


class Encoder:
    """Mean of the last hidden states (or the first of them), normalised to length one. Safe to share by threads."""

    def __init__(self, description: EncoderDescription, precision: Precision, tokenizer: Any, session: Any) -> None:
        self.description = description
        self.precision = precision
        self._tokenizer = tokenizer
        self._session = session
        self._recent: OrderedDict[bytes, NDArray[np.float32]] = OrderedDict()
        self._remembering = threading.Lock()

    @classmethod
    def load(cls, folder: Path, *, precision: Precision = Precision.FP32, threads: int = 1) -> Self:
        """Open an exported folder after checking the hash of every file it uses.

        Raises:
            EncoderUnusable: a file is missing, unreadable, or not the one that `encoder.json` names.

        """
        description = describe(folder)
        model = description.models.get(precision)
        if model is None:
            raise EncoderUnusable(f"{folder / DESCRIPTION}: has no {precision} model: {_BUILD}")
        _check(folder / TOKENIZER, description.tokenizer_sha256)
        _check(folder / model.file, model.sha256)
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        tokenizer.enable_truncation(description.max_tokens)
        tokenizer.no_padding()
        return cls(description, precision, tokenizer, _session(folder / model.file, threads))

    @property
    def dimension(self) -> int:
        """Width of a vector."""
        return self.description.dimension

    @property
    def digest(self) -> str:
        """The identity of the vectors: same digest, same vectors."""
        model = self.description.models[self.precision]
        pooling, tokens = self.description.pooling, self.description.max_tokens
        return hashlib.sha256(
            f"{model.sha256}:{self.description.tokenizer_sha256}:{pooling}:{tokens}".encode()
        ).hexdigest()

    def count(self, text: str) -> int:
        """Tokens of the whole text, those that are not read among them."""
        encoded = self._tokenizer.encode(text)
        return len(encoded.ids) + sum(len(rest.ids) for rest in encoded.overflowing)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Unit vectors [texts, dimension]; what stands beyond `max_tokens` is not read.

        One text at a time, on purpose: padding a batch costs more than batching saves on a CPU, and a quantised
        model's vectors depend on what shares their batch.
        """
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        return np.stack([self.encode_one(text) for text in texts])

    def encode_one(self, text: str) -> NDArray[np.float32]:
        """The unit vector [dimension] of one text."""
        ids = np.array([self._tokenizer.encode(text).ids], dtype=np.int64)
        (hidden,) = self._session.run(["hidden"], {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        return normalise(pool(hidden[0], self.description.pooling))

    def recall(self, text: str) -> NDArray[np.float32]:
        """As `encode_one`; the vectors of the last RECENT texts are kept, by a hash, never the texts.

        The red-flag head and the search read the same turn, and a conversation sends its earlier turns again.
        """
        key = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        with self._remembering:
            if key in self._recent:
                self._recent.move_to_end(key)
                return self._recent[key]
        vector = self.encode_one(text)
        with self._remembering:
            self._recent[key] = vector
            while len(self._recent) > RECENT:
                self._recent.popitem(last=False)
        return vector


def pool(hidden: NDArray[np.float32], how: Literal["mean", "cls"]) -> NDArray[np.float32]:
    """Hidden states [tokens, width] to one vector [width]: their mean, or the first."""
    pooled: NDArray[np.float32] = hidden[0] if how == "cls" else hidden.mean(axis=0)
    return pooled


def normalise(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors (along the last axis) scaled to length one; a vector of zeros stays as it is."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: NDArray[np.float32] = (vectors / np.where(lengths == 0.0, 1.0, lengths)).astype(np.float32)
    return scaled


def describe(folder: Path) -> EncoderDescription:
    """Read `encoder.json`.

    Raises:
        EncoderUnusable: it is missing, or does not fit.

    """
    path = folder / DESCRIPTION
    try:
        return EncoderDescription.model_validate(json.loads(path.read_bytes()))
    except FileNotFoundError as error:
        raise EncoderUnusable(f"{path}: no such file: {_BUILD}") from error
    except (ValidationError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise EncoderUnusable(f"{path}: not a description of an encoder: {_BUILD}") from error


def sha256_of(path: Path) -> str:
    """The hash of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check(path: Path, expected: str) -> None:
    if not path.is_file():
        raise EncoderUnusable(f"{path}: no such file: {_BUILD}")
    actual = sha256_of(path)
    if actual != expected:
        raise EncoderUnusable(f"{path}: sha256 is {actual}, {DESCRIPTION} says {expected}: {_BUILD}")


def _session(path: Path, threads: int) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # A spinning pool burns the cores that the rest of the gateway runs on.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises bare subclasses of Exception of its own
        raise EncoderUnusable(f"{path}: ONNX Runtime cannot read it: {_BUILD}") from error
