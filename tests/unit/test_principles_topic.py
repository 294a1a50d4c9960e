"""The topic head and its examples: what is read from YAML, what is refused, and that a head comes back as saved."""

from pathlib import Path

import numpy as np
import pytest

from principles_store.building import encode
from principles_store.errors import IndexUnusable, InvalidPrinciples
from principles_store.topic import Subject, TopicHead, load_topics, of_queries
from tests.principles_fakes import QUERIES, WordEncoder

CARS = ("gearbox oil leaks", "oil for the gearbox", "new gearbox")
DOSES = ("dose of the tablet", "tablet for pain", "pain in the chest")


def head() -> TopicHead:
    return TopicHead.fit(
        encode([*CARS, *DOSES], WordEncoder()), [Subject.ELSEWHERE] * len(CARS) + [Subject.HEALTH] * len(DOSES)
    )


def write(folder: Path, text: str) -> Path:
    (folder / "cars.yaml").write_text(text, encoding="utf-8")
    return folder


def test_a_text_is_read_by_what_it_shares_with_the_examples() -> None:
    car, dose = (
        head().read(WordEncoder().encode_one(text)).health for text in ("the gearbox leaks", "a tablet for pain")
    )
    assert car < 0 < dose


def test_what_says_little_is_about_health_as_a_question_and_nothing_as_a_passage() -> None:
    texts, subjects = ["what now", "gearbox oil", "tablet dose"], [Subject.LITTLE, Subject.ELSEWHERE, Subject.HEALTH]
    read = TopicHead.fit(encode(texts, WordEncoder()), subjects).read(WordEncoder().encode_one("what now"))
    assert read.health > 0.5
    assert abs(read.passage) < 0.2


def test_a_head_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    head().save(tmp_path / "topic.npz")
    again = TopicHead.load(tmp_path / "topic.npz", width=WordEncoder().dimension)
    assert np.array_equal(again.weights, head().weights)


@pytest.mark.parametrize("content", [b"nothing", None], ids=["not-an-archive", "another-width"])
def test_a_head_that_is_not_ours_is_refused(tmp_path: Path, content: bytes | None) -> None:
    head().save(tmp_path / "topic.npz")
    if content is not None:
        (tmp_path / "topic.npz").write_bytes(content)
    with pytest.raises(IndexUnusable, match="clinalign principles build"):
        TopicHead.load(tmp_path / "topic.npz", width=3)


def test_a_file_lists_families_of_both_kinds(tmp_path: Path) -> None:
    folder = write(tmp_path, "elsewhere:\n  cars: |\n    one\n\n    two\nhealth:\n  fumes: |\n    three\n")
    found = [(example.text, example.subject, example.family) for example in load_topics(folder)]
    assert found == [("one", "elsewhere", "cars"), ("two", "elsewhere", "cars"), ("three", "health", "fumes")]


@pytest.mark.parametrize(
    "text", ["others: {}\n", "- one\n", "elsewhere: {}\n", "elsewhere:\n  cars: |\n    one\n    One\n"],
    ids=["kind", "no-mapping", "empty", "twice"],
)  # fmt: skip
def test_what_does_not_fit_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidPrinciples):
        load_topics(write(tmp_path, text))


def test_the_shipped_topics_are_many_and_of_both_kinds() -> None:
    found = load_topics()
    assert len({example.family for example in found if example.elsewhere}) >= 40
    assert sum(example.elsewhere for example in found) >= 250
    assert sum(not example.elsewhere for example in found) >= 250


def test_labelled_queries_are_examples_of_health() -> None:
    assert not any(example.elsewhere for example in of_queries(QUERIES))
