"""Whatever the text: spans lie in it, disguises do not lose a flag, and large inputs come to an end."""
# ruff: noqa: RUF001 - letters and marks of other scripts, and curly ones, are meant

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.assessment import RedFlag
from service.domain.conversation import Conversation, Message, Role
from service.pipeline.screen import Screen, language_of
from service.pipeline.screen.text import fold, words_in

SCREEN = Screen()
DANGERS = {
    "cardiac": "I have crushing chest pain and can't stand",
    "stroke": "my wife's face is drooping",
    "breathing": "I can't breathe",
    "self_harm": "I don't want to live anymore, I'm going to kill myself",
    "overdose": "she took 40 paracetamol tablets",
}
ZERO_WIDTH = "\u200b\u200c\u2060\ufeff\u00ad"
danger = st.sampled_from(sorted(DANGERS.items()))
neutral = st.lists(
    st.sampled_from(
        [
            "the",
            "sun",
            "is",
            "warm",
            "and",
            "we",
            "walk",
            "our",
            "dog",
            "to",
            "a",
            "park",
            "with",
            "friends",
            "every",
            "week",
            "for",
            "fun",
        ]
    ),
    max_size=80,
).map(" ".join)


def screen(text: str) -> tuple[RedFlag, ...]:
    return SCREEN.screen(Conversation((Message(Role.USER, text),)), audience=None)


def families(text: str) -> set[str]:
    return {flag.family for flag in screen(text)}


@given(st.text(max_size=400))
@settings(max_examples=150, deadline=None)
def test_any_text_is_read_without_error(text: str) -> None:
    screen(text)
    assert language_of(text)


@given(danger, st.text(max_size=60), st.text(max_size=60))
@settings(max_examples=150, deadline=None)
def test_spans_lie_within_the_text_and_are_not_empty(case: tuple[str, str], before: str, after: str) -> None:
    text = f"{before}. {case[1]}. {after}"
    for flag in screen(text):
        assert 0 <= flag.evidence.start < flag.evidence.end <= len(text)


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_folding_keeps_an_offset_for_every_character(text: str) -> None:
    folded, origin = fold(text)

    assert len(folded) == len(origin)
    assert all(0 <= offset < len(text) for offset in origin)
    assert list(origin) == sorted(origin)


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_words_stand_in_order_and_do_not_overlap(text: str) -> None:
    words = words_in(text)

    assert all(start < end <= len(text) for start, end in zip(words.starts, words.ends, strict=True))
    assert words.starts == sorted(words.starts)


@given(neutral)
@settings(max_examples=100, deadline=None)
def test_neutral_words_raise_nothing(text: str) -> None:
    assert families(text) == set()


@given(danger, neutral)
@settings(max_examples=60, deadline=None)
def test_leading_sentences_do_not_lose_a_flag(case: tuple[str, str], before: str) -> None:
    family, text = case
    assert family in families(f"{before}. {text}")


def widen(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


DISGUISES: dict[str, Callable[[str], str]] = {
    "upper case": str.upper,
    "title case": str.title,
    "curly apostrophes": lambda text: text.replace("'", "’"),
    "no apostrophes": lambda text: text.replace("'", ""),
    "full width": widen,
    "zero width": ZERO_WIDTH.join,
    "no-break spaces": lambda text: text.replace(" ", "\u00a0"),
    "double spaces": lambda text: text.replace(" ", "  "),
    "line breaks": lambda text: text.replace(" ", "\n"),
    "letters repeated": lambda text: text.replace("a", "aaaa"),
    "bold letters": lambda text: "".join(
        chr(0x1D41A + ord(c) - ord("a")) if "a" <= c <= "z" else c for c in text.lower()
    ),
}


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("family", DANGERS)
def test_a_disguise_does_not_lose_a_flag(family: str, disguise: str) -> None:
    assert family in families(DISGUISES[disguise](DANGERS[family]))


def test_offsets_are_those_of_the_original_text() -> None:
    text = "ok \u200bﬁne… ＣＨＥＳＴ\u200b ＰＡＩＮ！"
    [flag] = screen(text)

    assert text[flag.evidence.start : flag.evidence.end] == "ＣＨＥＳＴ\u200b ＰＡＩＮ"


LARGE = {
    "one word": "pain " * 20_000,
    "no spaces": "a" * 100_000,
    "one letter often": "n" * 50_000 + " " + "o" * 50_000,
    "denials": "no chest pain or " * 6_000,
    "conditions": "if my chest " * 8_000,
    "questions": "what are the symptoms of stroke " * 3_000,
    "stories": "I am writing a novel and I have chest pain " * 2_000,
    "animals": "my dog has chest pain " * 4_000,
    "stops": "." * 100_000,
    "apostrophes": "'" * 100_000,
    "blank lines": "\n \n" * 30_000,
    "numbers": "120/80 " * 14_000,
    "Chinese": "胸口不痛" * 25_000,
    "digits": "9" * 100_000,
    "zero width": "\u200b" * 100_000,
}


@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE)
def test_a_large_input_comes_to_an_end(text: str) -> None:
    screen(text)


def test_a_danger_at_the_end_of_a_large_input_is_seen() -> None:
    assert families("I feel fine. " * 8_000 + "Now I can't breathe.") == {"breathing"}
