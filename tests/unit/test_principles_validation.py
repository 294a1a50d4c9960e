"""What `clinalign principles validate` finds, and what it lets pass."""

from typing import Any

import pytest

from principles_store.schema import LEVELS, Dimension, Principle
from principles_store.validate import Validation, validate
from tests.principles_fakes import PRINCIPLES, QUERIES, WordEncoder, principle, query

ID = "urgency.urgent.one"
LONG = " ".join(["word"] * 27)


def check(*principles: Principle, **options: object) -> Validation:
    return validate(principles, expected=None, **options)  # type: ignore[arg-type]


def criterion(text: str, name: str = "other") -> dict[str, object]:
    return {"id": name, "text": text, "weight": 5, "polarity": "must"}


FAULTS = {
    "a long statement": ({"statement": LONG}, "statement has 27 words, at most 26"),
    "a wide statement": ({"statement": "x" * 191}, "statement has 191 characters, at most 190"),
    "a single criterion": ({"criteria": [criterion("Does it.")]}, "has 1 criteria, at least 2"),
    "a long criterion": ({"criteria": [criterion("Does it."), criterion(LONG, "b")]}, "has 27 words, at most 16"),
    "a vague criterion": (
        {"criteria": [criterion("Does it."), criterion("Gives adequate, appropriate advice.", "b")]},
        "leaves the judgement to its reader: adequate, appropriate",
    ),
    "twin criteria": ({"criteria": [criterion("Does it."), criterion("does it.", "b")]}, "has the same text as #b"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_of_wording_is_found(fault: tuple[dict[str, Any], str]) -> None:
    fields, expected = fault
    result = check(principle(ID, **fields))
    assert expected in [found.message for found in result.faults]
    assert not result.passed


def test_sound_principles_pass() -> None:
    assert check(*PRINCIPLES, queries=QUERIES).passed


def test_the_number_must_be_what_was_expected() -> None:
    (fault,) = validate(PRINCIPLES, expected=119).faults
    assert fault.message == "holds 5 principles, expected 119"
    assert validate(PRINCIPLES, expected=5).passed


def test_statements_that_say_the_same_are_named_both() -> None:
    twins = [principle(f"urgency.urgent.{name}", statement="Call the ambulance now.") for name in ("one", "two")]
    (fault,) = check(*twins, encoder=WordEncoder()).faults
    assert fault.where == "urgency.urgent.one"
    assert "urgency.urgent.two" in fault.message


def test_criteria_of_one_principle_that_say_the_same_are_named_both() -> None:
    pair = [criterion("Names the dose clearly."), criterion("Clearly names the dose.", "again")]
    (fault,) = check(principle(ID, criteria=pair), encoder=WordEncoder()).faults
    assert (fault.where, "#again" in fault.message) == (f"{ID}#other", True)


def test_it_is_told_when_near_duplicates_were_not_looked_for() -> None:
    assert not check(principle(ID)).compared
    assert check(principle(ID), encoder=WordEncoder()).compared


def test_queries_must_name_principles_that_exist_and_stand_once() -> None:
    result = check(principle(ID), queries=[query("a", ID), query("A", ID), query("b", "urgency.urgent.gone")])
    assert {fault.where for fault in result.faults} == {"urgency.urgent.gone", "a"}


def test_coverage_lists_every_level_also_the_empty_ones() -> None:
    coverage = check(principle(ID)).coverage
    assert set(coverage) == {(d, level) for d in Dimension for level in LEVELS[d]}
    assert coverage[Dimension.URGENCY, "urgent"] == 1
    assert coverage[Dimension.URGENCY, "routine"] == 0
