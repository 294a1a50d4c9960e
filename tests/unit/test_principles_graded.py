"""Graded labels joined with their texts, gains worked out by hand, and intervals over clusters."""

import gzip
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from principles_store.errors import StoreError
from principles_store.graded import LABELS, SOURCES, Half, Judged, gains, half_of, read_judged
from principles_store.intervals import bootstrap, mean
from principles_store.loading import load_principles
from principles_store.paths import SHIPPED_PRINCIPLES


def judged(**grades: int) -> Judged:
    return Judged("kqa", "a question", "0" * 64, grades)


def write_source(folder: Path, source: str, texts: list[str]) -> None:
    file, field = SOURCES[source]
    content = "\n".join(json.dumps({field: text}) for text in texts).encode()
    (folder / file).write_bytes(gzip.compress(content) if file.endswith(".gz") else content)


def write_label(path: Path, source: str, text: str) -> Path:
    digest = hashlib.sha256(text.encode()).hexdigest()
    label = {"source": source, "row": "0", "sha256": digest, "grades": {"3": ["a"], "1": ["b", "c"]}}
    path.write_text(json.dumps(label) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("source", ["kqa", "healthbench"], ids=["plain", "gzipped"])
def test_labels_find_their_text_by_its_hash(tmp_path: Path, source: str) -> None:
    write_source(tmp_path, source, ["another", "the one"])
    (found,) = read_judged(tmp_path, write_label(tmp_path / "labels.jsonl", source, "the one"))
    assert (found.text, dict(found.grades)) == ("the one", {"a": 3, "b": 1, "c": 1})


def test_a_text_that_was_changed_is_refused_without_quoting_it(tmp_path: Path) -> None:
    write_source(tmp_path, "kqa", ["secret words, changed"])
    with pytest.raises(StoreError, match="not the text that was labelled") as refusal:
        read_judged(tmp_path, write_label(tmp_path / "labels.jsonl", "kqa", "secret words"))
    assert "secret" not in str(refusal.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"kqa_questions\.jsonl"):
        read_judged(tmp_path, write_label(tmp_path / "labels.jsonl", "kqa", "x"))


def test_the_shipped_labels_name_hashes_and_principles_and_no_text() -> None:
    known = {principle.id for principle in load_principles(SHIPPED_PRINCIPLES)}
    entries = [json.loads(line) for line in LABELS.read_text(encoding="utf-8").splitlines()]
    assert len(entries) >= 300
    assert len({entry["sha256"] for entry in entries}) == len(entries)
    for entry in entries:
        assert set(entry) == {"source", "row", "sha256", "grades"}
        assert len(entry["sha256"]) == 64
        names = [name for listed in entry["grades"].values() for name in listed]
        assert set(entry["grades"]) <= {"1", "2", "3"}
        assert len(set(names)) == len(names)
        assert set(names) <= known


def test_gains_follow_from_grades_and_places() -> None:
    found = gains([["b", "a", "x"], ["a"]], [judged(a=3, b=1, c=2), judged(a=2)])
    best = 7 + 3 / np.log2(3) + 1 / np.log2(4)
    assert found.ndcg == pytest.approx([(1 + 7 / np.log2(3)) / best, 1.0])
    assert found.recall5 == pytest.approx([0.5, 1.0])


def test_what_comes_after_the_fifth_counts_in_the_ten_alone() -> None:
    found = gains([[*"vwxyz", "a"]], [judged(a=3)])
    assert (found.recall5[0], found.recall10[0]) == (0.0, 1.0)


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 3)), st.permutations("abcdef"))
def test_gains_lie_between_0_and_1_and_the_best_order_gains_all(grades: dict[str, int], order: list[str]) -> None:
    best = sorted(grades, key=lambda name: -grades[name])
    found = gains([order, best], [judged(**grades)] * 2)
    assert (found.ndcg >= 0).all()
    assert (found.ndcg <= 1 + 1e-9).all()
    if grades:
        assert found.ndcg[1] == pytest.approx(1.0)


def test_halves_are_told_by_the_hash() -> None:
    assert (half_of("10"), half_of("11")) == (Half.TUNING, Half.REPORTING)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_an_interval_lies_within_the_values_and_is_the_same_again(values: list[float]) -> None:
    found = mean(np.array(values), resamples=20)
    assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9
    assert found == mean(np.array(values), resamples=20)
    assert found.count == len(values)


def test_rows_of_one_cluster_come_and_go_together() -> None:
    values = np.array([0.0] * 20 + [1.0] * 20)
    apart = mean(values, resamples=200)
    together = mean(values, ["one"] * 20 + ["other"] * 20, resamples=200)
    assert (together.low, together.high) == (0.0, 1.0)
    assert apart.high - apart.low < together.high - together.low


def test_of_nothing_nothing_is_known() -> None:
    assert bootstrap(lambda _: 1.0, []).count == 0
