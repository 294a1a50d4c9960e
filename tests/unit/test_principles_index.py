"""The index: what it finds, and everything it refuses to be used with."""

import json
from pathlib import Path

import numpy as np
import pytest

from principles_store.building import HEADS, INDEX, MANIFEST, QUERIES, TOPIC, build, open_built, read_manifest
from principles_store.encoder import Precision, normalise
from principles_store.errors import IndexUnusable
from principles_store.index import VectorIndex
from principles_store.loading import load_principles
from tests.principles_fakes import PRINCIPLES, WordEncoder, principle, write_store
from tests.principles_fakes import QUERIES as LABELLED

ORDERED = tuple(sorted(PRINCIPLES, key=lambda p: p.id))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_store(tmp_path)[1]


def test_the_nearest_comes_first_with_its_cosine() -> None:
    vectors = normalise(np.random.default_rng(1).normal(size=(50, 8)).astype(np.float32))
    positions, cosines = VectorIndex.build(vectors).search(vectors[17], limit=5)
    assert positions[0] == 17
    assert cosines[0] == pytest.approx(1.0, abs=1e-5)
    assert (np.diff(cosines) <= 0).all()


def test_asking_for_more_than_there_is_gives_all(tmp_path: Path) -> None:
    positions, _ = VectorIndex.build(np.eye(3, dtype=np.float32)).search(np.eye(3, dtype=np.float32)[0], limit=10)
    assert sorted(positions.tolist()) == [0, 1, 2]


def test_searching_an_empty_index_is_an_error() -> None:
    with pytest.raises(IndexUnusable, match="clinalign principles build"):
        VectorIndex.build(np.empty((0, 4), dtype=np.float32)).search(np.ones(4, dtype=np.float32), limit=1)


def test_a_saved_index_finds_the_same(tmp_path: Path) -> None:
    vectors = normalise(np.random.default_rng(2).normal(size=(9, 4)).astype(np.float32))
    VectorIndex.build(vectors).save(tmp_path / "x.faiss")
    assert VectorIndex.load(tmp_path / "x.faiss").search(vectors[3], limit=9)[0].tolist() == (
        VectorIndex.build(vectors).search(vectors[3], limit=9)[0].tolist()
    )


def test_a_file_that_faiss_cannot_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.faiss").write_bytes(b"not an index")
    with pytest.raises(IndexUnusable, match=r"x\.faiss"):
        VectorIndex.load(tmp_path / "x.faiss")


def test_what_was_built_opens_with_the_same_principles_and_encoder(folder: Path) -> None:
    built = open_built(folder, principles=ORDERED, encoder=WordEncoder())
    assert len(built.index) == len(ORDERED)
    assert read_manifest(folder).ids == tuple(p.id for p in ORDERED)
    assert read_manifest(folder).count == len(ORDERED)


def test_building_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        build(ORDERED, LABELLED, WordEncoder(), tmp_path / name)
    for file in (INDEX, QUERIES, HEADS, TOPIC, MANIFEST):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "other" / file).read_bytes(), file


def test_other_principles_are_refused(folder: Path) -> None:
    with pytest.raises(IndexUnusable, match=r"other principles .*clinalign principles build"):
        open_built(folder, principles=[*ORDERED[1:], principle("urgency.urgent.new")], encoder=WordEncoder())


def test_a_principle_that_was_reworded_is_refused(folder: Path) -> None:
    reworded = ORDERED[0].model_copy(update={"rationale": "Another reason."})
    with pytest.raises(IndexUnusable, match="other principles"):
        open_built(folder, principles=[reworded, *ORDERED[1:]], encoder=WordEncoder())


@pytest.mark.parametrize(
    ("encoder", "said"),
    [
        (WordEncoder("other"), r"other encoder .*clinalign principles build"),
        (WordEncoder(precision=Precision.INT8), r"fp32 model, and int8 .*clinalign principles build --precision int8"),
    ],
    ids=["name", "int8"],
)
def test_another_encoder_is_refused(folder: Path, encoder: WordEncoder, said: str) -> None:
    with pytest.raises(IndexUnusable, match=said):
        open_built(folder, principles=ORDERED, encoder=encoder)


@pytest.mark.parametrize("file", [INDEX, QUERIES, HEADS, TOPIC, MANIFEST])
def test_a_missing_file_is_refused(folder: Path, file: str) -> None:
    (folder / file).unlink()
    with pytest.raises(IndexUnusable, match=file):
        open_built(folder, principles=ORDERED, encoder=WordEncoder())


@pytest.mark.parametrize("file", [INDEX, QUERIES, HEADS, TOPIC])
def test_a_damaged_file_is_refused(folder: Path, file: str) -> None:
    content = bytearray((folder / file).read_bytes())
    content[len(content) // 2] ^= 0xFF
    (folder / file).write_bytes(content)
    with pytest.raises(IndexUnusable, match=f"{file}: missing or damaged"):
        open_built(folder, principles=ORDERED, encoder=WordEncoder())


@pytest.mark.parametrize("change", [{"format": 1}, {"extra": 1}, {"ids": None}], ids=lambda c: next(iter(c)))
def test_a_manifest_of_another_version_is_refused(folder: Path, change: dict[str, object]) -> None:
    content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    (folder / MANIFEST).write_text(json.dumps({**content, **change}), encoding="utf-8")
    with pytest.raises(IndexUnusable, match="not a manifest of this version"):
        open_built(folder, principles=ORDERED, encoder=WordEncoder())


@pytest.mark.parametrize(("principles", "queries"), [((), LABELLED), (PRINCIPLES, ())], ids=["principles", "queries"])
def test_there_is_no_index_of_nothing(tmp_path: Path, principles: tuple, queries: tuple) -> None:  # type: ignore[type-arg]
    with pytest.raises(IndexUnusable, match="nothing to build from"):
        build(principles, queries, WordEncoder(), tmp_path / "index")
    assert not (tmp_path / "index").exists()


def test_a_build_replaces_the_old_folder_whole(folder: Path) -> None:
    (folder / "leftover").write_text("x", encoding="utf-8")
    build(ORDERED, LABELLED, WordEncoder(), folder)
    assert not (folder / "leftover").exists()
    assert load_principles(folder.parent / "principles") == ORDERED
