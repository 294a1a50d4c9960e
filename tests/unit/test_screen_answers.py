"""Danger that an assistant asks about and the user confirms is danger that the user tells of."""
# ruff: noqa: RUF001 - letters and marks of other scripts are meant

from pathlib import Path

import pytest

from service.domain.assessment import RedFlag
from service.domain.conversation import Conversation, Message, Role
from service.domain.errors import SettingsError
from service.pipeline.screen import Screen
from service.pipeline.screen.answers import read_answers

KILLING = "Are you thinking about killing yourself?"
CONFIRMED = [
    ("self_harm", KILLING, "yes"),
    ("self_harm", KILLING, "yes, every day"),
    ("self_harm", KILLING, "Yeah."),
    ("self_harm", KILLING, "sometimes"),
    ("self_harm", KILLING, "I am"),
    ("self_harm", KILLING, "YESSS!!!"),
    ("self_harm", KILLING, "uhh yes"),
    ("self_harm", KILLING, "nearly every day"),
    ("self_harm", "Do you have any thoughts of harming yourself or ending your life?", "I do, since my divorce"),
    ("self_harm", "I am sorry. Do you want to die? You can tell me.", "yep"),
    ("cardiac", "Do you have crushing chest pain that spreads to your arm?", "Yes, since an hour"),
    ("cardiac", "1. Do you have chest pain?\n2. Do you smoke?", "yes"),
    ("breathing", "Do you have a fever, trouble breathing or a rash?", "yes"),
    ("stroke", "Is your face drooping on one side?", "Yes it is"),
    ("bleeding", "Are you bleeding heavily?", "yes, a lot"),
    ("overdose", "Have you taken more tablets than prescribed, on purpose?", "yes"),
    ("collapse", "Is she unconscious?", "yes she is"),
    ("self_harm", "¿Estás pensando en suicidarte?", "Sí, todos los días"),
    ("breathing", "¿No puedes respirar?", "si"),
    ("cardiac", "Avez-vous une douleur dans la poitrine ?", "oui"),
    ("self_harm", "Voulez-vous mourir ?", "Oui"),
    ("self_harm", "Wollen Sie sich umbringen?", "Ja"),
    ("breathing", "Bekommen Sie keine Luft?", "ja, seit heute"),
    ("self_harm", "Você quer morrer?", "Sim"),
    ("self_harm", "你想自杀吗？", "是的"),
    ("cardiac", "هل تشعر بألم في الصدر؟", "نعم"),
    ("self_harm", "क्या आप मरना चाहते हैं?", "हाँ"),
    ("self_harm", "Вы хотите умереть?", "Да, каждый день"),
]
UNCONFIRMED = {
    "no": (KILLING, "no"),
    "not": (KILLING, "I am not"),
    "fine": (KILLING, "I am fine"),
    "undone": (KILLING, "absolutely not"),
    "something else": (KILLING, "what a question"),
    "known": ("Did you know that chest pain can be a heart attack?", "yes"),
    "offered": ("Would you like to know the symptoms of a heart attack?", "yes please"),
    "offered after a word": ("So, shall I explain what crushing chest pain means?", "Yes"),
    "supposed": ("If you get chest pain, will you call for help?", "yes"),
    "no question": ("You may have chest pain.", "yes"),
    "an earlier question": ("Do you have chest pain? Let us start with your age. Are you over forty?", "yes"),
    "quoted in a statement": ("People ask me about chest pain. Are you hungry?", "yes"),
}


def flags(*turns: tuple[Role, str]) -> tuple[RedFlag, ...]:
    conversation = Conversation(tuple(Message(role, text) for role, text in turns))
    return Screen().screen(conversation, audience=None)


@pytest.mark.parametrize(("family", "asked", "answer"), CONFIRMED, ids=range(1, len(CONFIRMED) + 1))
def test_a_danger_that_is_asked_about_and_confirmed_is_told_of(family: str, asked: str, answer: str) -> None:
    found = flags((Role.USER, "..."), (Role.ASSISTANT, asked), (Role.USER, answer))
    assert family in {flag.family for flag in found}


@pytest.mark.parametrize(("asked", "answer"), UNCONFIRMED.values(), ids=UNCONFIRMED)
def test_what_is_not_confirmed_or_asked_in_general_raises_nothing(asked: str, answer: str) -> None:
    assert flags((Role.USER, "..."), (Role.ASSISTANT, asked), (Role.USER, answer)) == ()


def test_the_evidence_is_the_yes_in_the_users_turn() -> None:
    answer = " Yes, every day"
    [flag] = flags((Role.USER, "hi"), (Role.ASSISTANT, KILLING), (Role.USER, answer))

    assert flag.evidence.message == 2
    assert answer[flag.evidence.start : flag.evidence.end] == "Yes"


def test_a_tools_turn_between_does_not_part_question_and_answer() -> None:
    found = flags((Role.ASSISTANT, KILLING), (Role.TOOL, "{}"), (Role.USER, "yes"))
    assert [flag.family for flag in found] == ["self_harm"]


def test_a_yes_to_the_user_before_confirms_nothing() -> None:
    assert flags((Role.ASSISTANT, "Do you have chest pain?"), (Role.USER, "no"), (Role.USER, "yes")) == ()


def test_a_very_long_question_comes_to_an_end() -> None:
    assert flags((Role.ASSISTANT, "Do you? " * 20_000 + "Do you have chest pain?"), (Role.USER, "yes " * 20_000))


def test_wrong_answers_stop_the_start_and_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "answers"
    folder.mkdir()
    (folder / "es.yaml").write_text("yes: si\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"answers/en\.yaml is missing"):
        read_answers(tmp_path)
    (folder / "en.yaml").write_text("yes: yes\nturned: you\n", encoding="utf-8")
    with pytest.raises(SettingsError, match=r"answers/en\.yaml: `turned`"):
        read_answers(tmp_path)
