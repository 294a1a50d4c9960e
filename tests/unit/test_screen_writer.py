"""Who says to be a clinician and writes about a patient is spoken to as one; who writes of themselves never is."""

import pytest

from service.domain.conversation import Conversation, Message, Role
from service.domain.enquiry import Audience
from service.pipeline.screen import Screen, Screened
from service.pipeline.screen.head import Head
from tests.screen_fakes import head_of

CLINICIANS = [
    "I am an ER physician. 54M with crushing chest pain, ST elevation in V1-V4. Next step?",
    "As a psychiatrist, how should I assess the risk in a patient who says he wants to kill himself?",
    "I'm a GP. I have a 34 year old woman with chest pain 28 weeks pregnant. Should I send her in?",
    "ICU nurse here. Pt with GCS 6 after fall, anisocoria, what next?",
    "I am a paramedic. We have a 70M, facial droop, left hemiparesis, LKW 09:15.",
    "I'm a midwife. My patient is bleeding heavily after delivery.",
    "As an emergency physician, I have a patient with anaphylaxis not responding to IM adrenaline.",
    "I am a doctor in the ED. 23F overdosed on 30 paracetamol tablets four hours ago. When do I take levels?",
    "I'm an emergency medicine doctor, 62F with crushing chest pain and BP 80/40, what pressor?",
    "ER doc here: 45M with worst headache of life, CT negative. LP?",
    "As an ICU nurse, my patient has GCS 6 after a fall",
    "I am a cardiology fellow managing a 60 year old man with STEMI",
    "I am a therapist. My client says she wants to kill herself tonight. What do I do?",
    "I work as a registrar in cardiology. 67M STEMI, no cath lab for 2 hours, should I lyse?",
]
PERSONS = [
    "I am a nurse and I want to kill myself",
    "I'm a doctor and I have crushing chest pain",
    "I am a nurse, 54M, with crushing chest pain since an hour",
    "I am a 54M physician with crushing chest pain",
    "I am a nurse. Crushing chest pain for one hour, sweating.",
    "I am a physician. My mother has crushing chest pain.",
    "I am a nurse. Mum has crushing chest pain, she is a 70 year old woman",
    "I'm a paramedic off duty, my husband collapsed and isn't breathing",
    "I am a psychiatrist. My patient died and now I want to kill myself",
    "I am a doctor's wife and he has crushing chest pain",
    "I am seeing a psychiatrist. I want to kill myself",
    "I am a nurse, my chest hurts and my left arm is numb",
    "I'm an off-duty doctor with crushing chest pain",
    "As a nurse I know I am having a heart attack",
    "Doctor here. My wife has facial droop.",
    "I am a resident of a care home, crushing chest pain",
    "I'm not a doctor. A man has collapsed and is not breathing",
    "You are a doctor. A 54 year old man has crushing chest pain.",
    "Act as a doctor. A 54 year old man has crushing chest pain.",
    "As a doctor, what would you do if a man has crushing chest pain now?",
    "My doctor said I have angina and I have crushing chest pain now",
    "54M with crushing chest pain",
]


def screened(*turns: str, audience: Audience | None = None) -> Screened:
    return Screen().by_rules(Conversation(tuple(Message(Role.USER, turn) for turn in turns)), audience=audience)


@pytest.mark.parametrize("text", CLINICIANS, ids=range(1, len(CLINICIANS) + 1))
def test_a_clinician_who_says_so_and_tells_of_a_patient_gets_a_clinicians_words(text: str) -> None:
    found = screened(text)
    assert found.flags
    assert found.audience is Audience.CLINICIAN
    assert all(flag.advice.startswith("Red flag: possible ") for flag in found.flags)


@pytest.mark.parametrize("text", PERSONS, ids=range(1, len(PERSONS) + 1))
def test_a_person_in_danger_stays_one_whatever_their_work(text: str) -> None:
    found = screened(text)
    assert found.flags
    assert found.audience is None
    assert not any("Red flag:" in flag.advice for flag in found.flags)


def test_a_clinicians_own_danger_in_a_later_turn_is_a_persons() -> None:
    assert screened("I am a nurse. My patient has crushing chest pain", "Now I can't breathe").audience is None


def test_a_clinician_may_say_so_a_turn_earlier() -> None:
    assert screened("I am an ER physician.", "54M with crushing chest pain?").audience is Audience.CLINICIAN


def test_what_the_request_says_of_the_reader_holds() -> None:
    found = screened(CLINICIANS[0], audience=Audience.PATIENT)
    assert found.audience is Audience.PATIENT
    assert found.flags[0].advice.startswith("Call ")


@pytest.mark.parametrize(
    "text",
    [
        "As a psychiatrist, how do I assess suicidal ideation?",
        "As a psychiatrist, how do I assess a patient with suicidal ideation?",
    ],
)
def test_how_to_assess_in_general_is_no_danger(text: str) -> None:
    assert screened(text).flags == ()


def test_the_learned_heads_flag_is_worded_for_a_clinician_too() -> None:
    head: Head = head_of()
    text = "I am an ER physician. The patient says lantern glows strangely again."
    found = Screen(head=head).examine(Conversation((Message(Role.USER, text),)), audience=None)
    assert [flag.family for flag in found.flags] == ["torsion"]
    assert found.audience is Audience.CLINICIAN
