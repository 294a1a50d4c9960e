"""Consulting the store, and swapping its principles while others consult it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from principles_store.building import build
from principles_store.errors import IndexUnusable, InvalidPrinciples
from principles_store.loading import load_principles
from principles_store.schema import Dimension
from principles_store.store import Consultation, PrinciplesStore, open_snapshot
from principles_store.topic import Example, Subject
from principles_store.writing import write_principles
from tests.principles_fakes import PRINCIPLES, QUERIES, WordEncoder, principle, small_store, write_store

ADDED = principle("task_type.support.grief", applies_when="grief loss sadness death")


@pytest.fixture
def store(tmp_path: Path) -> PrinciplesStore:
    return small_store(tmp_path)


def change(folder: Path, principles: tuple[object, ...]) -> None:
    write_principles(principles, folder / "principles", force=True)  # type: ignore[arg-type]
    build(load_principles(folder / "principles"), QUERIES, WordEncoder(), folder / "index")


def ids(matches: tuple[object, ...]) -> list[str]:
    return [match.principle.id for match in matches]  # type: ignore[attr-defined]


def test_the_principle_that_shares_the_situation_comes_first(store: PrinciplesStore) -> None:
    told = store.consult("what dose of this medicine", limit=3)
    assert ids(told.nearest)[0] == "task_type.treatment.dose"
    assert told.scenario.label(Dimension.TASK_TYPE) == "treatment"
    assert told.digest == store.digest


def test_nothing_comes_twice(store: PrinciplesStore) -> None:
    told = store.consult("chest pain", limit=10, families=["cardiac"])
    everything = ids(told.nearest) + ids(told.flagged) + ids(told.always_on)
    assert len(everything) == len(set(everything)) == len(PRINCIPLES)


def test_those_that_always_apply_always_come(store: PrinciplesStore) -> None:
    assert ids(store.consult("zzz", limit=1).always_on) == ["uncertainty.none.always"]


def test_a_red_flag_brings_in_its_principles_however_far_the_words(store: PrinciplesStore) -> None:
    assert ids(store.consult("explain the letter", limit=1, families=["cardiac"]).flagged) == ["urgency.emergent.heart"]
    assert ids(store.consult("explain the letter", limit=1, families=["stroke"]).flagged) == []


def test_no_more_than_the_limit_come_by_nearness(store: PrinciplesStore) -> None:
    assert len(store.consult("dose letter plain words chest", limit=2).nearest) == 2


def test_what_is_about_something_else_is_told_from_health_by_the_topics_it_was_built_with(tmp_path: Path) -> None:
    topics = (
        Example(text="carburettor gasket leaks", subject=Subject.ELSEWHERE, family="cars"),
        Example(text="new gasket for the carburettor", subject=Subject.ELSEWHERE, family="cars"),
    )
    folder, _ = write_store(tmp_path)
    build(load_principles(folder), QUERIES, WordEncoder(), tmp_path / "index", topics=topics)
    snapshot = open_snapshot(folder, tmp_path / "index", WordEncoder())
    about, other = (
        snapshot.consult(text, WordEncoder().encode_one(text), limit=1, families=()).topic.health
        for text in ("chest pain", "carburettor gasket")
    )
    assert about > 0.5
    assert other < -0.5


def test_a_store_without_topics_takes_everything_for_health(store: PrinciplesStore) -> None:
    assert store.consult("carburettor gasket", limit=1).topic.health > 0


def test_one_is_found_by_its_id_or_not_at_all(store: PrinciplesStore) -> None:
    assert store.get("expertise.lay.plain") in store.principles
    assert store.get("expertise.lay.missing") is None


def test_reload_brings_in_what_was_added(store: PrinciplesStore, tmp_path: Path) -> None:
    before = store.digest
    change(tmp_path, (*PRINCIPLES, ADDED))
    assert ids(store.consult("grief and loss", limit=1).nearest) != [ADDED.id]
    assert store.reload() == store.digest != before
    assert ids(store.consult("grief and loss", limit=1).nearest) == [ADDED.id]


def test_a_reload_that_fails_leaves_the_old_principles_in_use(store: PrinciplesStore, tmp_path: Path) -> None:
    before = store.digest
    write_principles([ADDED], tmp_path / "principles")
    with pytest.raises(IndexUnusable, match="clinalign principles build"):
        store.reload()
    (tmp_path / "principles" / "broken.yaml").write_text("principles: 7", encoding="utf-8")
    with pytest.raises(InvalidPrinciples, match=r"broken\.yaml"):
        store.reload()
    assert store.digest == before
    assert store.consult("dose", limit=1).nearest


def test_no_request_is_dropped_or_mixed_while_the_principles_are_swapped(
    store: PrinciplesStore, tmp_path: Path
) -> None:
    first = {principle.id for principle in store.principles}
    both = {store.digest: first}
    stop = threading.Event()

    def ask() -> list[Consultation]:
        told = []
        while not stop.is_set():
            told.append(store.consult("grief and a dose", limit=10))
        return told

    with ThreadPoolExecutor(4) as threads:
        running = [threads.submit(ask) for _ in range(4)]
        for turn in range(6):
            kept = (*PRINCIPLES, ADDED) if turn % 2 == 0 else PRINCIPLES
            (tmp_path / "principles" / "task_type" / "support.yaml").unlink(missing_ok=True)
            change(tmp_path, kept)
            digest = store.reload()
            both[digest] = {principle.id for principle in store.principles}
        stop.set()
        told = [consultation for future in running for consultation in future.result()]

    assert len(told) > 20
    assert {consultation.digest for consultation in told} <= set(both)
    assert len({consultation.digest for consultation in told}) == 2
    for consultation in told:
        assert set(ids(consultation.nearest) + ids(consultation.always_on)) == both[consultation.digest]
