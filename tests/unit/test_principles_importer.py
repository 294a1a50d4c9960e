"""Files of others to our principles: shapes, names, weights and signs; what is left is told, what is there is kept."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from principles_store.errors import ImportRefused
from principles_store.importer import convert, read, weight_and_sign
from principles_store.loading import load_principles
from principles_store.schema import Polarity, Principle
from principles_store.writing import write_principles
from tests.principles_fakes import PRINCIPLES

ENTRY = {"name": "Act fast", "principle": "Say to call now.", "dimension": "Urgency", "level": "Emergent"}
BARE = {"name": "Act fast", "principle": "Say to call now."}

SHAPES: dict[str, Any] = {
    "a list": [ENTRY],
    "an object by id": {"P1": ENTRY},
    "a list under a key": {"version": 2, "principles": [ENTRY]},
    "nested by dimension and level": {"urgency": {"emergent": [BARE]}},
    "nested by dimension, level inside": {"urgency": [{**BARE, "level": "emergent"}]},
    "plain strings by dimension and level": {"urgency": {"emergent": ["Say to call now."]}},
    "category for dimension": [{**BARE, "category": "urgency", "subcategory": "emergency"}],
    "one object": ENTRY,
}


@pytest.mark.parametrize("content", SHAPES.values(), ids=SHAPES.keys())
def test_a_principle_is_read_from_any_of_the_shapes(content: Any) -> None:
    imported = convert(content, source="official.json")
    assert [(p.dimension, p.level, p.statement) for p in imported.principles] == [
        ("urgency", "emergent", "Say to call now.")
    ]
    assert not imported.left


LEVELS = [
    ("urgency", "non-emergent", "routine"),
    ("urgency", "conditionally-emergent", "urgent"),
    ("uncertainty", "any-reducible-uncertainty", "reducible"),
    ("uncertainty", "only-irreducible-uncertainty", "irreducible"),
    ("expertise", "Health professional", "professional"),
    ("user expertise", "layperson", "lay"),
    ("task type", "Triage", "triage"),
]


@pytest.mark.parametrize(("dimension", "level", "ours"), LEVELS)
def test_other_names_of_levels_become_ours(dimension: str, level: str, ours: str) -> None:
    (found,) = convert([{**BARE, "dimension": dimension, "level": level}], source="x").principles
    assert found.level == ours


def criteria(*given_criteria: Any) -> Principle:
    (found,) = convert([{**ENTRY, "rubrics": list(given_criteria)}], source="x").principles
    return found


def test_negative_points_become_must_not_with_their_size_as_weight() -> None:
    found = criteria({"criterion": "Says to wait.", "points": -8}, {"criterion": "Says to call.", "points": 10})
    assert [(c.polarity, c.weight) for c in found.criteria] == [(Polarity.MUST_NOT, 8), (Polarity.MUST, 10)]


def test_criteria_may_be_strings() -> None:
    found = criteria("Says to call now.", "Says to call now or wait.")
    assert [c.text for c in found.criteria] == ["Says to call now.", "Says to call now or wait."]
    assert len({c.id for c in found.criteria}) == 2


def test_a_polarity_that_is_given_counts_before_the_sign() -> None:
    (only,) = criteria({"text": "Says to wait.", "weight": 4, "polarity": "must_not"}).criteria
    assert only.polarity is Polarity.MUST_NOT


@given(st.one_of(st.floats(), st.integers(), st.text(), st.none(), st.booleans()))
def test_any_points_become_a_weight_from_1_to_10(points: object) -> None:
    weight, sign = weight_and_sign(points)
    assert 1 <= weight <= 10
    assert sign in {"must", "must_not"}


@given(st.integers(min_value=-1000, max_value=1000))
def test_the_sign_of_points_is_kept(points: int) -> None:
    assert weight_and_sign(points)[1] == ("must_not" if points < 0 else "must")


def test_an_entry_without_criteria_gets_its_statement_as_one_and_is_reported() -> None:
    imported = convert([ENTRY], source="x")
    assert [c.text for c in imported.principles[0].criteria] == ["Say to call now."]
    assert imported.derived == ("urgency.emergent.act-fast",)


def test_an_entry_of_an_unknown_dimension_is_left_and_told() -> None:
    imported = convert([ENTRY, {**BARE, "dimension": "mood", "level": "good"}], source="x")
    assert len(imported.principles) == 1
    assert imported.left[0].where == "[1]"
    assert "'mood'" in imported.left[0].reason


def test_fields_that_were_read_and_fields_that_were_not_are_counted() -> None:
    imported = convert([{**ENTRY, "colour": "red"}], source="x")
    assert imported.mapped["principle -> statement"] == 1
    assert imported.unread_fields == {"colour": 1}


def test_equal_titles_get_ids_of_their_own() -> None:
    found = convert([ENTRY, ENTRY], source="x").principles
    assert [p.id for p in found] == ["urgency.emergent.act-fast", "urgency.emergent.act-fast-2"]


@pytest.mark.parametrize("text", ["not json", "[]", '{"a": 1}', '[{"principle": "x", "dimension": "mood"}]'])
def test_a_file_with_nothing_to_read_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "official.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ImportRefused, match=r"official\.json"):
        read(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["urgency", "emergent", "principle", "criteria", "id", "x"]), inner, max_size=3
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_no_json_breaks_the_importer(content: Any) -> None:
    imported = convert(json.loads(json.dumps(content)), source="x")
    assert all(isinstance(p, Principle) for p in imported.principles)


def test_what_is_written_reads_back_the_same(tmp_path: Path) -> None:
    write_principles(PRINCIPLES, tmp_path)
    assert load_principles(tmp_path) == tuple(sorted(PRINCIPLES, key=lambda p: p.id))
    assert read(tmp_path).principles == load_principles(tmp_path)
    assert len(read(tmp_path / "urgency" / "emergent.yaml").principles) == 1


def test_nothing_is_overwritten_unless_forced(tmp_path: Path) -> None:
    write_principles(PRINCIPLES[:1], tmp_path)
    kept = (tmp_path / "urgency" / "emergent.yaml").read_bytes()
    with pytest.raises(ImportRefused, match=r"emergent\.yaml.*--force"):
        write_principles(PRINCIPLES, tmp_path)
    assert (tmp_path / "urgency" / "emergent.yaml").read_bytes() == kept
    assert not (tmp_path / "expertise").exists()
    assert len(write_principles(PRINCIPLES, tmp_path, force=True)) == 5
