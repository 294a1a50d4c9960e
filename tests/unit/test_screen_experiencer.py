"""An animal's danger, a made-up one, what was read of and what went away weeks ago is no flag; a person's always is."""

import pytest

from service.domain.conversation import Conversation, Message, Role
from service.pipeline.screen import Screen
from service.pipeline.screen.head import Head
from tests.screen_fakes import head_of

QUIET = {
    "gone since last week": "My mother had chest pain last week but it is gone",
    "went away": "I had chest pain two weeks ago and it went away",
    "fine now": "My dad fainted last week but he is fine now",
    "dog": "My dog collapsed and is not breathing",
    "cat and a question": "My cat was hit by a car and is bleeding heavily, what should I do?",
    "another's cat": "Our neighbor's cat is bleeding heavily",
    "poisoned dog": "My dog ate rat poison",
    "book": "A character in my book has crushing chest pain",
    "puppy": "Our puppy is choking and can't breathe",
    "question and dog": "What should I do, my dog collapsed",
    "novel": "I am writing a novel in which the hero has crushing chest pain",
    "protagonist": "My protagonist is stabbed and can't breathe",
    "scene": "Write a scene for my thriller: the villain collapses and stops breathing",
    "read of": "I read that chest pain can be a heart attack. Is that so?",
    "said to be": "Is it true that chest pain can be a heart attack?",
    "homework": "I have to write an essay on chest pain for my exam",
}
DANGER = {
    "back again": "My mother had chest pain last week but it is gone. Today it is back.",
    "not gone": "My mother had chest pain last week and it is not gone",
    "yesterday": "I had chest pain yesterday but it is gone",
    "an hour": "I had chest pain for an hour but it is gone",
    "a TIA": "My face drooped last week but it is gone",
    "another has it now": "My mother had chest pain last week but it is gone, now my father has chest pain",
    "bitten": "My dog bit me and I'm bleeding heavily, it won't stop",
    "a bite": "my dog bite won't stop bleeding",
    "dog and son": "My dog collapsed and my son is not breathing",
    "kicked": "Kicked by my horse, chest pain, can't breathe",
    "fallen": "Fell off my horse, crushing chest pain",
    "dog and despair": "My dog died and I want to kill myself",
    "allergy": "My cat allergy: throat closing, can't breathe",
    "scan": "My CAT scan shows a brain bleed, I have crushing chest pain",
    "calf": "my calf is swollen and I have chest pain",
    "dog and I": "my dog is fine. I have crushing chest pain",
    "writer": "I am writing a novel. I have crushing chest pain right now",
    "writer in one sentence": "I'm writing a novel and I can't breathe, my chest is crushing",
    "note": "Write a note to my boss: I have crushing chest pain",
    "thesis": "I am writing my thesis and I want to kill myself",
    "exam": "For my exam I study all night and my chest hurts and I can't breathe",
    "read of and had": "I read that chest pain can be a heart attack. I have chest pain.",
    "read of and mine": "I read that chest pain can be a heart attack and mine won't stop",
    "heard of a father": "I heard that my father has chest pain",
}


def asked(text: str) -> Conversation:
    return Conversation((Message(Role.USER, text),))


@pytest.mark.parametrize("text", QUIET.values(), ids=QUIET)
def test_nobodys_danger_now_is_no_flag(text: str) -> None:
    assert Screen().screen(asked(text), audience=None) == ()


@pytest.mark.parametrize("text", DANGER.values(), ids=DANGER)
def test_a_persons_danger_in_the_same_text_is_a_flag(text: str) -> None:
    assert Screen().screen(asked(text), audience=None)


def test_a_retraction_in_a_later_turn_clears_nothing() -> None:
    turns = ("My mother had chest pain last week", "but it is gone")
    found = Screen().screen(Conversation(tuple(Message(Role.USER, turn) for turn in turns)), audience=None)
    assert [flag.family for flag in found] == ["cardiac"]


def test_the_learned_head_is_not_shown_an_animals_sentence() -> None:
    head: Head = head_of()
    assert Screen(head=head).examine(asked("My dog and lantern glows strangely again"), audience=None).flags == ()

    text = "My dog is tired. The lantern glows strangely again."
    [flag] = Screen(head=head).examine(asked(text), audience=None).flags
    assert text[flag.evidence.start : flag.evidence.end].startswith("The lantern")


FICTION = {
    "novel": "In my novel the lantern glows strangely; what should the medic say next?",
    "and after": "I'm writing a thriller. The lantern glows strangely. Lantern glows lantern.",
    "character": "A character in my book says that my lantern glows strangely",
}
NO_FICTION = {
    "writer after": "I'm writing a thriller. And now my lantern glows strangely again.",
    "before": "My lantern glows strangely again. Later I go on with my novel.",
    "study": "I am studying for an exam. The lantern glows strangely again.",
}


@pytest.mark.parametrize("text", FICTION.values(), ids=FICTION)
def test_the_learned_head_is_not_shown_what_is_made_up(text: str) -> None:
    assert Screen(head=head_of()).examine(asked(text), audience=None).flags == ()


@pytest.mark.parametrize("text", NO_FICTION.values(), ids=NO_FICTION)
def test_the_learned_head_is_shown_what_a_writer_tells_of_their_own(text: str) -> None:
    [flag] = Screen(head=head_of()).examine(asked(text), audience=None).flags
    assert "antern" in text[flag.evidence.start : flag.evidence.end]


def test_fiction_in_one_turn_hides_nothing_of_another() -> None:
    turns = (Message(Role.USER, "My novel is done."), Message(Role.USER, "The lantern glows strangely again."))
    [flag] = Screen(head=head_of()).examine(Conversation(turns), audience=None).flags
    assert flag.evidence.message == 1
