"""Fitting: our own examples and the encoder come in, the head's weights and a manifest go out, and back in.

Nothing here can reach a labelled conversation of others: the import contract `The head's fitting cannot read what is
reported on` forbids it, and a test ends a build at the first file that it opens beside the package, the encoder and its
own output.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from principles_store.encoder import Encoder, sha256_of
from service.domain.errors import SettingsError
from service.pipeline.screen.examples import Example, digest, read_examples
from service.pipeline.screen.head import Head, Vectors, Weights, kernel
from service.pipeline.screen.wording import Vocabulary, Wording

FORMAT: Final = 2
MANIFEST: Final = "manifest.json"
WEIGHTS: Final = "head.npz"
# By cross-validation over groups of examples (`clinalign evaluate redflags`); the optimum is flat.
SHARPNESS: Final = 2.0
RIDGE: Final = 0.3
WORDS: Final = 0.4  # of the words' kernel beside that of the meaning
_MEND: Final = "run `clinalign screen build`"


class Manifest(BaseModel):
    """What the weights were fitted on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int
    examples: int
    examples_digest: str
    encoder_digest: str
    encoder_name: str
    families: tuple[str, ...]
    sharpness: float
    ridge: float
    words: float
    weights_sha256: str


def fit(
    examples: Sequence[Example],
    vectors: Vectors,
    *,
    sharpness: float = SHARPNESS,
    ridge: float = RIDGE,
    words: float = WORDS,
) -> Weights:
    """The weights for examples and their unit vectors [examples, width]."""
    families = tuple(sorted({example.family for example in examples if example.danger}))
    codes = np.array([families.index(e.family) if e.danger else -1 for e in examples], dtype=np.int64)
    texts = [example.text for example in examples]
    vocabulary = Vocabulary.of(texts)
    rows = vocabulary.rows(texts)
    near = kernel(vectors, vectors, sharpness).astype(np.float64) + words * (rows @ rows.T)
    targets = np.where(codes >= 0, 1.0, -1.0)
    weights = np.linalg.solve(near + ridge * np.eye(len(examples)), targets)
    wording = Wording(vocabulary, (words * (rows.T @ weights)).astype(np.float32))
    return Weights(vectors, weights.astype(np.float32), codes, families, sharpness, wording)


def build(
    examples: tuple[Example, ...], encoder: Encoder, folder: Path, *, progress: Callable[[int], None] = lambda _: None
) -> Manifest:
    """Fit and write the folder anew, manifest last, so that a half-written folder is never taken for a whole one."""
    rows = []
    for example in examples:
        rows.append(encoder.encode_one(example.text))
        progress(1)
    weights = fit(examples, np.stack(rows))
    draft = folder.with_name(folder.name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    _save(weights, draft / WEIGHTS)
    manifest = Manifest(
        format=FORMAT,
        examples=len(examples),
        examples_digest=digest(examples),
        encoder_digest=encoder.digest,
        encoder_name=encoder.description.name,
        families=weights.families,
        sharpness=weights.sharpness,
        ridge=RIDGE,
        words=WORDS,
        weights_sha256=sha256_of(draft / WEIGHTS),
    )
    (draft / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    draft.rename(folder)
    return manifest


def open_head(folder: Path, encoder: Encoder, *, examples: tuple[Example, ...] | None = None) -> Head:
    """The head of a folder, for exactly this encoder and the package's examples.

    Raises:
        SettingsError: a part is missing or damaged, or the folder was built from something else.

    """
    manifest = _manifest(folder)
    shipped = read_examples() if examples is None else examples
    for what, built_from, used_with in (
        ("examples", manifest.examples_digest, digest(shipped)),
        ("an encoder", manifest.encoder_digest, encoder.digest),
        ("a format", str(manifest.format), str(FORMAT)),
    ):
        if built_from != used_with:
            raise SettingsError(
                f"{folder}: built from {what} ({built_from[:12]}), not these ({used_with[:12]}): {_MEND}"
            )
    path = folder / WEIGHTS
    if not path.is_file() or sha256_of(path) != manifest.weights_sha256:
        raise SettingsError(f"{path}: missing or damaged: {_MEND}")
    return Head(_weights(path, manifest), encoder)


def _save(weights: Weights, path: Path) -> None:
    vocabulary = weights.wording.vocabulary
    np.savez(
        path,
        vectors=weights.vectors,
        weights=weights.weights,
        codes=weights.codes,
        terms=np.array(list(vocabulary.places), dtype=np.str_),
        rarity=vocabulary.rarity,
        term_weights=weights.wording.weights,
    )


def _weights(path: Path, manifest: Manifest) -> Weights:
    with np.load(path, allow_pickle=False) as file:
        terms = {str(term): place for place, term in enumerate(file["terms"].tolist())}
        wording = Wording(Vocabulary(terms, file["rarity"]), file["term_weights"])
        return Weights(file["vectors"], file["weights"], file["codes"], manifest.families, manifest.sharpness, wording)


def _manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    try:
        return Manifest.model_validate(json.loads(path.read_bytes()))
    except FileNotFoundError as error:
        raise SettingsError(f"{path}: no such file: {_MEND}") from error
    except (ValidationError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not a manifest of this version: {_MEND}") from error
