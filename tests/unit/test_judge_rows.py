"""Labelled rows as they are published: K-QA's, and HealthBench's meta-evaluation."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from service.domain.errors import SettingsError
from service.judge_evaluation.rows import read_rows

KQA: dict[str, Any] = {
    "Question": "Is it safe?",
    "answer": "It is safe.",
    "claim": "It is not dangerous.",
    "majority_label": "Entailment",
    "label_0": "Entailment",
    "label_1": "Neutral",
    "label_2": "Contradiction",
    "category_x": "Must_have",
}
META: dict[str, Any] = {
    "prompt": [{"role": "user", "content": "Is it safe?"}],
    "completion": "It is safe.",
    "rubric": "Says whether it is safe.",
    "category": "cluster:a",
    "binary_labels": [True, False],
    "anonymized_physician_ids": ["x", "y"],
}


def written(folder: Path, *rows: object) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")
    return path


def without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def test_entailment_is_met_and_all_else_is_not(tmp_path: Path) -> None:
    (row,) = read_rows(written(tmp_path, KQA))
    assert row.labels == (True, False, False)
    assert (row.cluster, row.criterion, row.categories) == (
        "Is it safe?",
        "It is not dangerous.",
        ("needed: Must_have", "answer of: 90 words or fewer"),
    )


@pytest.mark.parametrize("row", [KQA | {"answer": None}, META | {"completion": None}], ids=["K-QA", "HealthBench"])
def test_an_answer_that_is_null_is_kept_as_a_row_without_one(tmp_path: Path, row: dict[str, Any]) -> None:
    first, second = read_rows(written(tmp_path, KQA, row))
    assert (first.answered, second.answered) == (True, False)


def test_a_majority_stands_in_where_no_physician_is_known(tmp_path: Path) -> None:
    (row,) = read_rows(written(tmp_path, without(KQA, "label_0", "label_1", "label_2")))
    assert row.labels == (True,)


@pytest.mark.parametrize(
    ("more", "labels"),
    [
        ({}, (True, False)),
        ({"binary_labels": None, "physician_majority": "met"}, (True,)),
        ({"binary_labels": None, "physician_majority": "not_met"}, (False,)),
        ({"binary_labels": None, "physician_majority": "split"}, ()),
        ({"binary_labels": None}, ()),
        ({"binary_labels": [True, None]}, (True,)),
    ],
    ids=["labels", "met", "not met", "split", "unknown", "one physician's is lacking"],
)
def test_healthbench_rows_keep_what_is_known_of_their_labels(
    tmp_path: Path, more: dict[str, Any], labels: tuple[bool, ...]
) -> None:
    (row,) = read_rows(written(tmp_path, META | more))
    assert row.labels == labels
    assert row.conversation[0].content == "Is it safe?"


def test_rows_of_one_conversation_share_a_cluster_and_count_from_0(tmp_path: Path) -> None:
    first, second = read_rows(written(tmp_path, META, META | {"rubric": "Another."}))
    assert first.cluster == second.cluster
    assert (first.index, second.index) == (0, 1)


def test_a_zipped_file_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(KQA).encode()))
    assert len(read_rows(path)) == 1


@pytest.mark.parametrize(
    "row",
    [["a", "list"], without(KQA, "claim"), without(META, "rubric"), META | {"prompt": [{"role": "nobody"}]}, {"a": 1}],
    ids=["no object", "no claim", "no rubric", "no role", "neither format"],
)
def test_a_row_of_neither_format_is_named_without_its_words(tmp_path: Path, row: object) -> None:
    with pytest.raises(SettingsError, match="row 1") as caught:
        read_rows(written(tmp_path, KQA, row))
    assert "safe" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"{"], ids=["empty", "not utf-8", "not json"])
def test_a_file_that_cannot_be_read_stops(tmp_path: Path, content: bytes) -> None:
    (path := tmp_path / "rows.jsonl").write_bytes(content)
    with pytest.raises(SettingsError):
        read_rows(path)


def test_a_missing_file_stops(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        read_rows(tmp_path / "none.jsonl")
