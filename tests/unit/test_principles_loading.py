"""YAML to principles: what fits, what is refused and how the refusal reads, and what the digest counts."""

from pathlib import Path
from typing import Any

import pytest

from principles_store.errors import InvalidPrinciples
from principles_store.loading import digest, load_principles, load_queries
from principles_store.schema import LEVELS, Dimension
from principles_store.writing import write_principles
from tests.principles_fakes import PRINCIPLES, QUERIES, principle

GOOD = """\
dimension: urgency
level: urgent
principles:
  - id: urgency.urgent.fever
    title: Fever that lasts
    statement: Say when a fever needs to be seen.
    rationale: Some fevers are serious.
    applies_when: fever for days
    criteria:
      - {id: when, text: Says when to be seen., weight: 5, polarity: must}
"""


def write(folder: Path, text: str, name: str = "urgent.yaml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_gives_its_principles_with_their_dimension_and_level(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    (found,) = load_principles(tmp_path)
    assert (found.dimension, found.level, found.criteria[0].weight) == (Dimension.URGENCY, "urgent", 5)


FAULTS = {
    "a weight out of range": ("weight: 5", "weight: 11", "urgency.urgent.fever: criteria.0.weight"),
    "a weight as text": ("weight: 5", "weight: '5'", "urgency.urgent.fever: criteria.0.weight"),
    "an unknown polarity": ("polarity: must", "polarity: should", "urgency.urgent.fever: criteria.0.polarity"),
    "an unknown field": ("    title:", "    colour: red\n    title:", "urgency.urgent.fever: colour"),
    "an empty statement": ("Say when a fever needs to be seen.", "'  '", "urgency.urgent.fever: statement"),
    "an id of another level": ("id: urgency.urgent", "id: urgency.routine", "ids must begin with 'urgency.urgent.'"),
    "an unknown level": ("level: urgent", "level: soon", "'soon' is not a level of urgency"),
    "an unknown dimension": ("dimension: urgency", "dimension: speed", "dimension"),
    "an id with capitals": ("urgent.fever", "urgent.Fever", "urgency.urgent.Fever: id"),
    "an unknown family": (
        "    title:",
        "    red_flag_families: [fire]\n    title:",
        "urgency.urgent.fever: red_flag_families.0",
    ),
    "a key that repeats": ("    title:", "    title: Twice\n    title:", "the key 'title' repeats"),
    "broken YAML": ("criteria:\n", "criteria: [\n", "not readable as YAML"),
    "no mapping at all": (GOOD, "just words", "the whole file"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_named_by_file_principle_and_field(tmp_path: Path, fault: tuple[str, str, str]) -> None:
    before, after, expected = fault
    path = write(tmp_path, GOOD.replace(before, after))
    with pytest.raises(InvalidPrinciples) as refused:
        load_principles(tmp_path)
    assert str(path) in str(refused.value)
    assert expected in str(refused.value)


def test_every_fault_of_every_file_is_told_at_once(tmp_path: Path) -> None:
    write(tmp_path, GOOD.replace("weight: 5", "weight: 0"), "a.yaml")
    write(tmp_path, GOOD.replace("polarity: must", "polarity: may"), "b.yaml")
    with pytest.raises(InvalidPrinciples) as refused:
        load_principles(tmp_path)
    assert len(refused.value.problems) == 2


def test_an_id_in_two_files_is_refused_with_both_named(tmp_path: Path) -> None:
    write(tmp_path, GOOD, "a.yaml")
    write(tmp_path, GOOD, "b.yaml")
    with pytest.raises(InvalidPrinciples, match=r"b\.yaml: urgency\.urgent\.fever: id: already used in .*a\.yaml"):
        load_principles(tmp_path)


def test_criterion_ids_that_repeat_within_a_principle_are_refused(tmp_path: Path) -> None:
    line = "      - {id: when, text: Says when to be seen., weight: 5, polarity: must}\n"
    write(tmp_path, GOOD + line)
    with pytest.raises(InvalidPrinciples, match="criterion ids repeat: when"):
        load_principles(tmp_path)


@pytest.mark.parametrize("load", [load_principles, load_queries])
def test_a_folder_without_files_is_refused(tmp_path: Path, load: object) -> None:
    with pytest.raises(InvalidPrinciples, match=r"no (principles|labelled queries)"):
        load(tmp_path)  # type: ignore[operator]


def test_a_file_that_cannot_be_read_is_refused_like_a_faulty_one(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    (tmp_path / "gone.yaml").symlink_to(tmp_path / "nowhere")
    (tmp_path / "folder.yaml").mkdir()
    with pytest.raises(InvalidPrinciples) as refused:
        load_principles(tmp_path)
    assert [problem.split(": ")[1] for problem in refused.value.problems] == ["cannot be read", "cannot be read"]


def test_the_digest_does_not_see_files_order_or_comments(tmp_path: Path) -> None:
    write_principles(PRINCIPLES, tmp_path / "one")
    write_principles(PRINCIPLES[::-1], tmp_path / "other")
    for path in (tmp_path / "other").rglob("*.yaml"):
        path.write_text("# a comment\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
        path.rename(path.with_name(f"renamed-{path.name}"))
    assert digest(load_principles(tmp_path / "one")) == digest(load_principles(tmp_path / "other"))


@pytest.mark.parametrize(
    "change",
    [{"statement": "Do another thing."}, {"version": "1.0.1"}, {"always_on": True}, {"red_flag_families": ["stroke"]}],
    ids=lambda change: next(iter(change)),
)
def test_the_digest_sees_every_change_of_content(change: dict[str, Any]) -> None:
    assert digest([principle("urgency.urgent.one")]) != digest([principle("urgency.urgent.one", **change)])


def test_a_principle_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        PRINCIPLES[0].title = "Other"  # type: ignore[misc]


def test_a_query_gives_its_label_in_each_dimension() -> None:
    labels = {dimension: QUERIES[0].label(dimension) for dimension in Dimension}
    assert labels[Dimension.URGENCY] == "emergent"
    assert all(labels[dimension] in LEVELS[dimension] for dimension in Dimension)
