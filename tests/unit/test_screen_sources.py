"""A wrong rule file stops the start and is named; a folder adds families; the phrase language means what it says."""

from pathlib import Path

import pytest

from service.domain.conversation import Conversation, Message, Role
from service.domain.errors import SettingsError
from service.pipeline.screen import Screen
from service.pipeline.screen.phrases import Grammar, Phrasebook, PhraseRejected
from service.pipeline.screen.text import words_in

FAMILY = "family: plague\nrules:\n  - id: bubo\n    phrases: swollen groin, bubo*\n"
ADVICE = "families:\n  plague:\n    action: ambulance\n    possible: plague\n"


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return folder


def families(screen: Screen, text: str) -> list[str]:
    return [flag.family for flag in screen.screen(Conversation((Message(Role.USER, text),)), audience=None)]


def test_a_folder_adds_a_family_with_its_advice(tmp_path: Path) -> None:
    write(tmp_path, "families/plague.yaml", FAMILY)
    write(tmp_path, "advice/en.yaml", ADVICE)
    screen = Screen(folder=tmp_path)

    assert families(screen, "I have buboes") == ["plague"]
    assert "This could be plague." in screen.duty(
        screen.screen(Conversation((Message(Role.USER, "buboes!"),)), audience=None), audience=None, language="en"
    )
    assert families(Screen(), "I have buboes") == []


def test_a_folder_adds_rules_and_words_to_what_there_is(tmp_path: Path) -> None:
    write(tmp_path, "families/more.yaml", "family: cardiac\nrules:\n  - id: local\n    phrases: dicky ticker $now\n")
    write(tmp_path, "words/en.yaml", "now: now, tonight\n")

    assert families(Screen(folder=tmp_path), "dicky ticker tonight") == ["cardiac"]


def test_a_folder_adds_misspellings_to_what_there_is(tmp_path: Path) -> None:
    write(tmp_path, "misspellings/en.yaml", "chest: tjest\n")

    assert families(Screen(folder=tmp_path), "crushing tjest pain, crushing chset pain") == ["cardiac"]
    assert families(Screen(folder=tmp_path), "crushing tjest pain") == ["cardiac"]
    assert families(Screen(), "crushing tjest pain") == []


def test_a_family_without_english_words_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no words for the families plague"):
        Screen(folder=write(tmp_path, "families/plague.yaml", FAMILY))


RULE = "family: plague\nrules:\n  - id: bubo\n    {}\n"
WRONG = {
    "not YAML": ("a: [b", "plague.yaml: cannot be read as YAML"),
    "empty": ("", "plague.yaml: a mapping is expected"),
    "a list": ("- a\n", "plague.yaml: a mapping is expected"),
    "key twice": ("family: a\nfamily: b\n", "plague.yaml: .*repeated key"),
    "unknown key": (FAMILY + "colour: red\n", "plague.yaml: unknown keys colour"),
    "no name": ("rules:\n  - id: a\n    phrases: b\n", "plague.yaml: `family`"),
    "no rules": ("family: plague\n", "plague.yaml: plague: `rules`"),
    "no id": ("family: plague\nrules:\n  - phrases: a\n", "plague.yaml: plague: a rule is a mapping with an `id`"),
    "no phrases": (RULE.format("within: 3"), "rule bubo: give either `phrases` or `all`"),
    "both": (RULE.format("phrases: a\n    all: [b]"), "rule bubo: give either `phrases` or `all`"),
    "unknown rule key": (RULE.format("phrases: a\n    near: 3"), "rule bubo: unknown keys near"),
    "empty phrase": (RULE.format("phrases: a, , b"), "rule bubo: there is an empty phrase"),
    "no phrase list": (RULE.format("phrases: {a: b}"), "rule bubo: phrases are expected"),
    "all is a text": (RULE.format("all: a"), "rule bubo: `all` must be a list"),
    "unknown list": (RULE.format("phrases: $nowhere pain"), "rule bubo: .*there is no list \\$nowhere"),
    "no word": (RULE.format("phrases: '!!'"), "rule bubo: .*holds no word"),
    "matches nothing at all": (RULE.format("phrases: pain?"), "rule bubo: .*could match nothing at all"),
    "bad gap": (RULE.format("phrases: a ...x b"), "rule bubo: .*is no gap"),
    "within a word": (RULE.format("phrases: a\n    within: far"), "rule bubo: `within` is"),
    "within too wide": (RULE.format("phrases: a\n    within: 9999"), "rule bubo: `within` is"),
    "stands on nothing": (RULE.format("phrases: a\n    stands: [rumour]"), "rule bubo: `stands` is a list out of"),
    "rule twice": (FAMILY + "---\n" + FAMILY, "given twice: plague/bubo"),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_rule_file_stops_the_start_and_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Screen(folder=write(tmp_path, "families/plague.yaml", text))


def test_a_list_that_holds_itself_stops_the_start(tmp_path: Path) -> None:
    write(tmp_path, "words/en.yaml", "loop: $loop again, x\n")
    with pytest.raises(SettingsError, match="the list \\$loop holds itself"):
        Screen(folder=write(tmp_path, "families/plague.yaml", RULE.format("phrases: $loop")))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("families:\n  cardiac:\n    action: dance\n", "advice/en.yaml: cardiac: `action` is one of ambulance"),
        ("families:\n  cardiac:\n    action: ambulance\n    possible: call {who}\n", "is not one of"),
        ("tone: kind\n", "advice/en.yaml: unknown keys tone"),
    ],
)
def test_wrong_advice_stops_the_start_and_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Screen(folder=write(tmp_path, "advice/en.yaml", text))


def test_an_unknown_cue_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"en\.yaml: unknown keys shrug"):
        Screen(folder=write(tmp_path, "cues/en.yaml", "shrug: meh\n"))


PHRASES = {
    "words in a row": ("chest pain", "my chest pain", "my chest and pain"),
    "stem": ("bleed*", "it bleeds", "it bled"),
    "alternatives": ("arm|leg hurts", "the leg hurts", "the hand hurts"),
    "joined alternative": ("dizzy|light_headed now", "light headed now", "light now"),
    "optional": ("my? chest", "chest", "chess"),
    "gap": ("pain ...2 chest", "pain in the chest", "pain in the middle chest"),
    "usual gap": ("pain ... chest", "pain in the left upper chest", "pain in the left upper outer inner chest"),
    "range": ("temp 38..42", "temp 39.5", "temp 37.9"),
    "list": ("$pain now", "sharp ache now", "sharp now"),
    "list of several words": ("very $pain", "very killing me", "very killing"),
    "sentence": ("chest pain", "chest pain", "It is my chest. Pain is mild"),
    "wall": ("has ...3 fits", "has many fits", "has no fits"),
    "unspaced script": ("胸痛", "我胸痛", "我胸部"),
    "hyphen": ("self-harm", "self harm", "self"),
    "apostrophe": ("can't breathe", "I cant breathe", "I can breathe"),
    "accents": ("répond", "il repond", "il ponde"),
}


@pytest.mark.parametrize(("phrase", "hit", "miss"), PHRASES.values(), ids=PHRASES)
def test_the_phrase_language_means_what_it_says(phrase: str, hit: str, miss: str) -> None:
    book = Phrasebook()
    grammar = Grammar({"pain": ["ache", "killing me"]}, frozenset({"no"}))
    book.add(phrase, group=1, grammar=grammar)

    assert 1 in book.find(words_in(hit))
    assert 1 not in book.find(words_in(miss))


def test_a_phrase_that_starts_or_ends_with_nothing_is_refused() -> None:
    with pytest.raises(PhraseRejected):
        Phrasebook().add("   ", group=1, grammar=Grammar())
