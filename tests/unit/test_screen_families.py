"""Every family raises its flag on our own cases, and stays quiet on what only looks like it."""

from pathlib import Path

import pytest
import yaml
from _pytest.mark import ParameterSet

from service.domain.conversation import Conversation, Message, Role
from service.pipeline.screen import Screen

CASES: dict[str, dict[str, list[str]]] = yaml.safe_load(
    (Path(__file__).parent / "screen_cases.yaml").read_text(encoding="utf-8")
)
PARAPHRASES: list[str] = yaml.safe_load((Path(__file__).parent / "screen_paraphrases.yaml").read_text(encoding="utf-8"))
CORE = {"cardiac", "stroke", "breathing", "anaphylaxis", "self_harm", "bleeding", "overdose", "pregnancy", "poisoning"}


def cases(kind: str) -> list[ParameterSet]:
    return [
        pytest.param(family, text, id=f"{family}-{number}")
        for family, kinds in CASES.items()
        for number, text in enumerate(kinds[kind], start=1)
    ]


def families(text: str) -> set[str]:
    conversation = Conversation((Message(Role.USER, text),))
    return {flag.family for flag in Screen().screen(conversation, audience=None)}


@pytest.mark.parametrize(("family", "text"), cases("flags"))
def test_a_danger_raises_its_family(family: str, text: str) -> None:
    assert family in families(text)


@pytest.mark.parametrize(("family", "text"), cases("quiet"))
def test_what_only_looks_like_a_danger_raises_nothing(family: str, text: str) -> None:
    assert families(text) == set()


def test_every_family_has_cases_of_both_kinds() -> None:
    known = {path.stem for path in Path("service/pipeline/screen/families").glob("*.yaml") if len(path.stem) > 2}

    assert set(CASES) == known
    assert all(len(kinds["flags"]) >= 5 and len(kinds["quiet"]) >= 4 for kinds in CASES.values())
    assert len(CORE - set(CASES)) == 0


@pytest.mark.parametrize("text", PARAPHRASES, ids=range(1, len(PARAPHRASES) + 1))
def test_an_indirect_way_of_saying_it_raises_some_flag(text: str) -> None:
    assert families(text)


def test_a_circled_digit_is_a_word_and_breaks_nothing() -> None:
    assert "breathing" in families("❶ I can't breathe ❷3")
