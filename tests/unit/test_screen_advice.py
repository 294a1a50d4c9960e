"""What is said first: one call to action, the region's numbers, the reader's language, a clinician's prompt."""

import pytest

from service.domain.assessment import RedFlag, Span
from service.domain.conversation import Conversation, Message, Role
from service.domain.enquiry import Audience
from service.domain.errors import SettingsError
from service.pipeline.screen import Screen

LANGUAGES = ["en", "es", "fr", "pt", "de", "zh", "ar", "hi", "ru"]
REGIONS = ["generic", "GB", "US", "CA", "EU", "IE", "AU", "NZ", "IN"]
PATIENT, CLINICIAN = Audience.PATIENT, Audience.CLINICIAN


def flags(*families: str) -> tuple[RedFlag, ...]:
    return tuple(RedFlag(family, Span(0, 0, 1), "") for family in families)


def duty(*families: str, region: str = "GB", audience: Audience | None = PATIENT, language: str | None = "en") -> str:
    return Screen(region=region).duty(flags(*families), audience=audience, language=language)


def test_without_flags_nothing_is_said() -> None:
    assert duty() == ""


def test_a_person_is_told_whom_to_call_first() -> None:
    assert duty("cardiac").startswith("Call 999 now. This could be a heart attack")


def test_several_flags_share_one_call_to_action() -> None:
    words = duty("cardiac", "stroke", "breathing")

    assert words.count("Call 999 now.") == 1
    assert "a heart attack" in words
    assert "a stroke" in words


def test_the_most_pressing_action_comes_first() -> None:
    assert duty("torsion", "cardiac").startswith("Call 999 now.")


def test_a_crisis_line_is_never_left_out() -> None:
    words = duty("overdose", "self_harm")

    assert words.startswith("Call 999 now.")
    assert "116 123" in words


def test_many_flags_stay_short() -> None:
    every = duty("cardiac", "stroke", "breathing", "anaphylaxis", "sepsis", "bleeding", "seizure", "choking")

    assert len(every.split()) < 110


def test_a_family_is_named_once() -> None:
    assert duty("cardiac", "cardiac") == duty("cardiac")


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_region_and_language_has_words_without_gaps(region: str, language: str) -> None:
    for family in ("cardiac", "self_harm", "overdose", "abuse", "torsion", "newborn"):
        words = duty(family, region=region, language=language)
        assert words
        assert "{" not in words


@pytest.mark.parametrize(
    ("region", "number"), [("US", "911"), ("EU", "112"), ("AU", "000"), ("IN", "112"), ("NZ", "111")]
)
def test_the_regions_number_is_named(region: str, number: str) -> None:
    assert f"Call {number} now." in duty("stroke", region=region)


def test_no_region_names_no_number() -> None:
    assert "your local emergency number" in duty("stroke", region="generic")


def test_the_number_stands_in_the_grammar_of_its_language() -> None:
    assert "Llame ahora al 112." in duty("stroke", region="EU", language="es")
    assert "Appelez le 112 maintenant." in duty("stroke", region="EU", language="fr")


def test_an_unknown_language_is_english() -> None:
    assert duty("stroke", language="tlh") == duty("stroke", language="en")


def test_a_language_without_words_for_a_family_keeps_its_action() -> None:
    assert "urgencias" in duty("torsion", language="es")


def test_a_set_language_wins_over_the_one_that_is_told() -> None:
    screen = Screen(region="EU", language="es")

    assert screen.duty(flags("stroke"), audience=None, language="en").startswith("Llame")


def test_the_flags_own_advice_follows_the_question() -> None:
    conversation = Conversation((Message(Role.USER, "Tengo mucho dolor en el pecho"),))

    [flag] = Screen(region="EU").screen(conversation, audience=None)

    assert flag.advice.startswith("Llame ahora al 112.")


def test_a_clinician_is_prompted_and_not_told_to_call_an_ambulance() -> None:
    words = duty("cardiac", audience=CLINICIAN)

    assert words.startswith("Red flag: possible acute coronary syndrome")
    assert "Call 999" not in words


def test_an_unknown_reader_is_spoken_to_as_a_patient() -> None:
    assert duty("cardiac", audience=None) == duty("cardiac", audience=PATIENT)


def test_a_flag_of_an_unknown_family_still_calls_for_help() -> None:
    assert duty("from_a_learned_head").startswith("Call 999 now. This could be an emergency.")


def test_an_unknown_region_stops_the_start() -> None:
    with pytest.raises(SettingsError, match="region 'XX' is not known; known are generic, GB"):
        Screen(region="XX")


def test_a_screen_is_a_value() -> None:
    assert Screen(region="GB") == Screen(region="GB")
    with pytest.raises(AttributeError):
        Screen().region = "US"  # type: ignore[misc]
