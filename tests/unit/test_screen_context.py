"""Denied, past, supposed or general talk is no flag; uncertain, retracted and earlier talk is one."""
# ruff: noqa: RUF001 - letters and marks of other scripts, and curly ones, are meant

import pytest

from service.domain.conversation import Conversation, Message, Role
from service.domain.enquiry import Audience
from service.pipeline.screen import Screen

USER, ASSISTANT, TOOL, SYSTEM = Role.USER, Role.ASSISTANT, Role.TOOL, Role.SYSTEM


def families(*turns: tuple[Role, str]) -> set[str]:
    conversation = Conversation(tuple(Message(role, text) for role, text in turns))
    return {flag.family for flag in Screen().screen(conversation, audience=None)}


DISMISSED = {
    "denied": "I have no chest pain",
    "denied by a clinician": "Pt denies chest pain, shortness of breath or syncope",
    "denied in a list": "no fever, chest pain, or trouble breathing",
    "denied after": "Chest pain: none. Stroke was ruled out.",
    "never had": "I have never had a seizure",
    "not a": "It is not a stroke, the doctor said",
    "history of a relative": "My father had a stroke in 2010",
    "years ago": "I had chest pain years ago and it was a pulled muscle",
    "opening the sentence": "In 2015, my mother had chest pain",
    "family history": "Family history of heart attack and stroke",
    "last year": "she collapsed last year at work and is well",
    "if I get": "If I get chest pain, what should I do?",
    "in case of": "What do you do in case of choking on food?",
    "risk": "What is my risk of having a stroke?",
    "symptoms of": "What are the symptoms of a stroke?",
    "treated": "How is sepsis treated?",
    "causes": "Can ibuprofen cause stomach bleeding that won't stop?",
    "essay": "I am writing an essay on anaphylaxis: throat swelling, trouble breathing, shock.",
    "exam": "Exam question: a 60 year old man has crushing chest pain. Which artery is blocked?",
    "story": "In my novel the hero is stabbed in the chest and can't breathe. How would he feel?",
}
STANDING = {
    "uncertain": ("cardiac", "I think I might be having a heart attack"),
    "asked about oneself": ("stroke", "could this be a stroke? my left arm is weak"),
    "a relative now": ("cardiac", "My father is having chest pain now"),
    "denial ends at but": ("cardiac", "no fever but chest pain since this morning"),
    "denial ends at a comma": ("cardiac", "65M, no PMH, chest pain for 2 hours"),
    "denial of something else": ("breathing", "I have no insurance and I can't breathe"),
    "no relief": ("cardiac", "no relief from the chest pain after nitroglycerin"),
    "not going away": ("cardiac", "this chest pain is not going away"),
    "past but now": ("cardiac", "I had a heart attack 3 years ago and now I have chest pain again"),
    "education and a person": ("stroke", "What are the symptoms of a stroke? My dad's face is drooping"),
    "whether": ("cardiac", "I'm wondering if this chest pain is serious"),
    "if that tells": ("overdose", "what should I do if I took 20 paracetamol"),
    "threat under a condition": ("self_harm", "If she leaves me I will kill myself"),
    "joke afterwards": ("self_harm", "I want to kill myself. just kidding"),
    "long ago intent, still there": ("self_harm", "I tried to commit suicide years ago and the thoughts are back"),
    "history of asthma": ("breathing", "history of asthma, can't breathe, lips blue"),
}


@pytest.mark.parametrize("text", DISMISSED.values(), ids=DISMISSED)
def test_no_danger_now_is_no_flag(text: str) -> None:
    assert families((USER, text)) == set()


@pytest.mark.parametrize(("family", "text"), STANDING.values(), ids=STANDING)
def test_a_danger_now_stands(family: str, text: str) -> None:
    assert family in families((USER, text))


def test_a_flag_of_the_first_turn_still_counts_in_the_fifth() -> None:
    turns = ((USER, "I have crushing chest pain"), (ASSISTANT, "Call now."), (USER, "ok"), (ASSISTANT, "?"))

    assert families(*turns, (USER, "what is the weather like")) == {"cardiac"}


def test_taking_it_back_does_not_clear_it() -> None:
    assert families((USER, "I have chest pain"), (USER, "the chest pain is gone, it was a joke")) == {"cardiac"}


@pytest.mark.parametrize("role", [ASSISTANT, TOOL, SYSTEM])
def test_only_the_user_gives_evidence(role: Role) -> None:
    assert families((role, "The patient has crushing chest pain"), (USER, "thanks, what about lunch?")) == set()


def test_evidence_names_the_message_and_its_words() -> None:
    question = "Hello — my dad’s got crushing chest pain 😟 now"
    conversation = Conversation((Message(SYSTEM, "Be kind."), Message(USER, "hi"), Message(USER, question)))

    [flag] = Screen().screen(conversation, audience=None)

    assert flag.evidence.message == 2
    assert question[flag.evidence.start : flag.evidence.end] == "crushing chest pain"


def test_flags_come_once_a_family_in_the_order_they_stand() -> None:
    text = "Chest pain, chest pain! He collapsed and is not breathing. He has chest pain."
    flags = Screen().screen(Conversation((Message(USER, text),)), audience=None)

    assert [flag.family for flag in flags] == ["cardiac", "collapse", "breathing"]


def test_words_of_one_rule_do_not_combine_across_messages() -> None:
    assert families((USER, "I love peanuts"), (USER, "my brother has a wheezy old car")) == set()


CLINICAL = {
    "67M crushing chest pain, troponin pending": "cardiac",
    "Pt with GCS 6 after fall, anisocoria": "collapse",
    "ETT confirmed, sats 82% despite FiO2 1.0": "breathing",
    "POD1, Hb 62, BP 78/40, drain 900 ml blood, ongoing haemorrhage, massive transfusion started": "bleeding",
    "G1P0 39/40 cord prolapse, theatre?": "pregnancy",
}


@pytest.mark.parametrize(("text", "family"), CLINICAL.items(), ids=CLINICAL.values())
def test_a_clinicians_shorthand_still_flags_and_gets_a_clinical_prompt(text: str, family: str) -> None:
    flags = Screen().screen(Conversation((Message(USER, text),)), audience=Audience.CLINICIAN)

    assert family in {flag.family for flag in flags}
    assert all(flag.advice.startswith("Red flag: possible ") for flag in flags)
