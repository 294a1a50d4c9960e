"""Principles, labelled queries, topics and an encoder in; a folder of index, heads and manifest out, and back."""

import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from principles_store.encoder import Encoder, Precision, normalise, sha256_of
from principles_store.errors import IndexStale, IndexUnusable
from principles_store.index import VectorIndex
from principles_store.loading import digest
from principles_store.scenario import Heads
from principles_store.schema import LabelledQuery, Principle, Record
from principles_store.topic import Example, TopicHead, of_queries

MANIFEST: Final = "manifest.json"
INDEX: Final = "index.faiss"
QUERIES: Final = "queries.faiss"
OWNERS: Final = "owners.npy"
HEADS: Final = "heads.npz"
TOPIC: Final = "topic.npz"
FORMAT: Final = 3
NOBODYS: Final = -1
# What a principle says counts less for finding it than when it applies; chosen on half of the labelled queries.
STATEMENT: Final = 0.3
_MEND: Final = "run `clinalign principles build`"

Progress = Callable[[int], None]


class Manifest(Record):
    """What an index was built from; each must match what it is used with."""

    format: Literal[3]
    principles_digest: str
    queries_digest: str
    topics_digest: str
    encoder_digest: str
    encoder_name: str
    precision: Precision
    dimension: int
    ids: tuple[str, ...]
    versions: tuple[str, ...]
    queries: int
    files: dict[str, str]

    @property
    def count(self) -> int:
        """How many principles are indexed."""
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Built:
    """What finds principles: their vectors in order of id, those of the labelled queries with the position of the
    principle that each asks for ([queries], NOBODYS where the store has none such), and the heads.
    """  # noqa: D205 - one sentence too long for one line

    index: VectorIndex
    queries: VectorIndex
    owners: NDArray[np.int64]
    heads: Heads
    topic: TopicHead


@dataclass(frozen=True, slots=True)
class Told:
    """Examples of topics and their unit vectors [examples, dimension]."""

    examples: tuple[Example, ...]
    vectors: NDArray[np.float32]

    @classmethod
    def of(cls, examples: Sequence[Example], encoder: Encoder) -> "Told":
        """Encode the examples, of which there must be one."""
        return cls(tuple(examples), encode([example.text for example in examples], encoder))


def build(
    principles: Sequence[Principle],
    queries: Sequence[LabelledQuery],
    encoder: Encoder,
    folder: Path,
    *,
    topics: Sequence[Example] = (),
    progress: Progress = lambda _: None,
) -> Manifest:
    """Write the folder, replacing it whole; `progress` is told how many texts were encoded.

    Raises:
        IndexUnusable: there is no principle, or no labelled query, to build from.

    """
    if not principles or not queries:
        raise IndexUnusable(f"nothing to build from: {len(principles)} principles, {len(queries)} labelled queries")
    ordered = sorted(principles, key=lambda principle: principle.id)
    asked = encode([query.text for query in queries], encoder, progress)
    vectors = principle_vectors(ordered, encoder, progress)
    told = Told((*topics, *of_queries(queries)), np.vstack([*_vectors(topics, encoder, progress), asked]))
    built = assemble(ordered, vectors, queries, asked, told)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
        draft = Path(scratch) / "index"
        draft.mkdir()
        manifest = _manifest(ordered, queries, topics, encoder, files=_save(built, draft))
        (draft / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        draft.rename(folder)
    return manifest


def assemble(
    principles: Sequence[Principle],
    vectors: NDArray[np.float32],
    queries: Sequence[LabelledQuery],
    asked: NDArray[np.float32],
    learned: "Told | None" = None,
) -> Built:
    """Index and heads from vectors [principles, dimension] in order of id and [queries, dimension].

    The topic's head learns from what is `learned`, or from the queries alone.
    """
    told = learned or Told(of_queries(queries), asked)
    return Built(
        VectorIndex.build(vectors),
        VectorIndex.build(asked),
        owners(principles, queries),
        Heads.fit(asked, queries, principles),
        TopicHead.fit(told.vectors, [example.subject for example in told.examples]),
    )


def owners(principles: Sequence[Principle], queries: Sequence[LabelledQuery]) -> NDArray[np.int64]:
    """For each query the position of the principle it asks for, else NOBODYS."""
    rows = {principle.id: row for row, principle in enumerate(principles)}
    return np.array([rows.get(query.principle, NOBODYS) for query in queries], dtype=np.int64)


def open_built(folder: Path, *, principles: Sequence[Principle], encoder: Encoder) -> Built:
    """Read the folder back, for exactly these principles and this encoder.

    Raises:
        IndexUnusable: a file is missing or damaged, or the folder was built from something else.

    """
    manifest = read_manifest(folder)
    _matches(folder, "principles", manifest.principles_digest, digest(principles))
    if manifest.precision is not encoder.precision:
        raise IndexStale(
            f"{folder}: built with the encoder's {manifest.precision} model, and {encoder.precision} is set: "
            f"run `clinalign principles build --precision {encoder.precision}`, "
            f"or set CLINALIGN_ENCODER_PRECISION={manifest.precision}",
            of="precision",
        )
    _matches(folder, "encoder", manifest.encoder_digest, encoder.digest)
    for name in (INDEX, QUERIES, OWNERS, HEADS, TOPIC):
        if not (folder / name).is_file() or sha256_of(folder / name) != manifest.files.get(name):
            raise IndexUnusable(f"{folder / name}: missing or damaged: {_MEND}")
    index, asked = VectorIndex.load(folder / INDEX), VectorIndex.load(folder / QUERIES)
    if len(index) != len(principles) or not len(asked) or index.dimension != encoder.dimension:
        raise IndexUnusable(f"{folder}: holds {len(index)} vectors for {len(principles)} principles: {_MEND}")
    heads = Heads.load(folder / HEADS, width=encoder.dimension, principles=len(principles))
    owned = _load_owners(folder / OWNERS, queries=len(asked), principles=len(principles))
    return Built(index, asked, owned, heads, TopicHead.load(folder / TOPIC, width=encoder.dimension))


def read_manifest(folder: Path) -> Manifest:
    """Read `manifest.json`.

    Raises:
        IndexUnusable: it is missing, or not one of ours.

    """
    path = folder / MANIFEST
    try:
        return Manifest.model_validate(json.loads(path.read_bytes()))
    except FileNotFoundError as error:
        raise IndexUnusable(f"{path}: no such file: {_MEND}") from error
    except (ValidationError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise IndexUnusable(f"{path}: not a manifest of this version: {_MEND}") from error


def principle_vectors(
    principles: Sequence[Principle], encoder: Encoder, progress: Progress = lambda _: None
) -> NDArray[np.float32]:
    """One unit vector a principle, [principles, dimension]: when it applies, with a little of what it says."""
    situations = encode([principle.applies_when for principle in principles], encoder, progress)
    statements = encode([principle.statement for principle in principles], encoder, progress)
    return normalise((situations + STATEMENT * statements).astype(np.float32))


def encode(texts: Sequence[str], encoder: Encoder, progress: Progress = lambda _: None) -> NDArray[np.float32]:
    """Vectors [texts, dimension], telling `progress` of each text."""
    rows = []
    for text in texts:
        rows.append(encoder.encode_one(text))
        progress(1)
    return np.stack(rows)


def _vectors(topics: Sequence[Example], encoder: Encoder, progress: Progress) -> list[NDArray[np.float32]]:
    return [encode([topic.text for topic in topics], encoder, progress)] if topics else []


def _load_owners(path: Path, *, queries: int, principles: int) -> NDArray[np.int64]:
    try:
        found: NDArray[np.int64] = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise IndexUnusable(f"{path}: not readable: {_MEND}") from error
    if found.shape != (queries,) or not np.isin(found, np.arange(NOBODYS, principles)).all():
        raise IndexUnusable(f"{path}: of other queries or principles: {_MEND}")
    return found


def _save(built: Built, folder: Path) -> dict[str, str]:
    """Write the parts, and give each file's hash."""
    built.index.save(folder / INDEX)
    built.queries.save(folder / QUERIES)
    np.save(folder / OWNERS, built.owners, allow_pickle=False)
    built.heads.save(folder / HEADS)
    built.topic.save(folder / TOPIC)
    return {name: sha256_of(folder / name) for name in (INDEX, QUERIES, OWNERS, HEADS, TOPIC)}


def _manifest(
    principles: Sequence[Principle],
    queries: Sequence[LabelledQuery],
    topics: Sequence[Example],
    encoder: Encoder,
    *,
    files: dict[str, str],
) -> Manifest:
    return Manifest(
        format=FORMAT,
        principles_digest=digest(principles),
        queries_digest=digest(queries),
        topics_digest=digest(topics),
        encoder_digest=encoder.digest,
        encoder_name=encoder.description.name,
        precision=encoder.precision,
        dimension=encoder.dimension,
        ids=tuple(principle.id for principle in principles),
        versions=tuple(principle.version for principle in principles),
        queries=len(queries),
        files=files,
    )


def _matches(folder: Path, what: str, built_from: str, used_with: str) -> None:
    if built_from != used_with:
        raise IndexStale(
            f"{folder}: built from other {what} (digest {built_from[:12]}) than these ({used_with[:12]}): {_MEND}",
            of=what,
        )
