"""Every family raises its flag on our own cases, and stays quiet on what only looks like it."""

from importlib.resources import files
from pathlib import Path

import pytest
import yaml
from _pytest.mark import ParameterSet

from service.domain.conversation import Conversation, Message, Role
from service.pipeline.screen import Screen
from service.pipeline.screen.commonest import COMMON
from service.pipeline.screen.sources import read_sources

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


MISSPELT = {
    "i want to comit suiside": "self_harm",
    "im feeling sucidal": "self_harm",
    "i am going to kil myself": "self_harm",
    "diffculty brething": "breathing",
    "my son cant breth": "breathing",
    "annaphalaxis after bee sting": "anaphylaxis",
    "is this anafilaxis": "anaphylaxis",
    "sevre alergic reaction": "anaphylaxis",
    "my dad had a seezure": "seizure",
    "i took an overdoze": "overdose",
    "found my nan unconcious": "collapse",
    "blleeding heavily": "bleeding",
    "crushing chset pain": "cardiac",
    "think he is having a stroak": "stroke",
}
MISSPELT_QUIET = ("comit mistakes at work a lot", "kil time", "febrile seezure leaflet", "What is anaphilaxis?")


@pytest.mark.parametrize(("text", "family"), MISSPELT.items(), ids=MISSPELT)
def test_a_danger_is_seen_though_it_is_misspelt(text: str, family: str) -> None:
    assert family in families(text)


@pytest.mark.parametrize("text", MISSPELT_QUIET)
def test_a_misspelling_alone_raises_nothing(text: str) -> None:
    assert families(text) == set()


def test_no_misspelling_is_a_right_word_too() -> None:
    misspelt = read_sources([files("service.pipeline.screen")]).misspelt
    known = frozenset[str]().union(*(words.split() for words in COMMON.values()))

    assert len(misspelt) > 100
    assert set(misspelt) & (set(misspelt.values()) | known) == set()
