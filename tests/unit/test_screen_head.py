"""The head sees what the rules do not, shows where, names it only where its examples agree, and may fail alone."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.assessment import FlagSource
from service.domain.conversation import Conversation, Message, Role
from service.domain.enquiry import Audience
from service.domain.errors import SettingsError
from service.pipeline.screen import Screen
from service.pipeline.screen.examples import digest, read_examples
from service.pipeline.screen.fitting import MANIFEST, WEIGHTS, build, open_head
from service.pipeline.screen.head import GENERAL
from service.pipeline.screen.windows import LIMIT, passages_of, windows_of
from service.pipeline.screen.wording import Vocabulary
from tests.principles_fakes import WordEncoder
from tests.screen_fakes import EXAMPLES, BrokenEncoder, asked, head_of

DANGER = "my lantern glows strangely"
CALM = "roses grow slowly outside"


def test_a_danger_that_no_rule_names_is_flagged_and_says_that_the_head_found_it() -> None:
    [flag] = Screen(region="GB", head=head_of()).examine(asked(DANGER), audience=None).flags

    assert (flag.family, flag.source) == ("torsion", FlagSource.HEAD)
    assert flag.advice.startswith("Go to an emergency department now")


def test_a_clinician_is_given_the_clinical_prompt_by_the_head_too() -> None:
    [flag] = Screen(head=head_of()).examine(asked(DANGER), audience=Audience.CLINICIAN).flags

    assert flag.advice.startswith("Red flag: possible testicular torsion")


def test_what_tells_of_no_danger_raises_nothing() -> None:
    assert Screen(head=head_of()).examine(asked(CALM), audience=None).flags == ()


def test_the_evidence_is_the_sentence_that_scored_highest() -> None:
    text = f"The sun is warm today. {DANGER}! The dog likes the park."
    seen = head_of().look(asked(text))

    assert seen is not None
    assert text[seen.span.start : seen.span.end] == f"{DANGER}!"


def test_a_danger_of_the_first_turn_still_counts_in_the_fifth() -> None:
    seen = head_of().look(asked(DANGER, "yes", CALM, "and then?", "thank you for that"))

    assert seen is not None
    assert seen.span.message == 0


def test_examples_that_do_not_agree_leave_the_danger_without_a_name() -> None:
    weights = head_of().weights

    assert weights.family(WordEncoder().encode_one("lantern glows")) == "torsion"
    assert weights.family(np.zeros(64, dtype=np.float32)) == GENERAL


def test_a_language_that_the_encoder_does_not_read_is_left_to_the_rules() -> None:
    assert head_of().highest(asked("\u6211\u5934\u75db")) is None
    assert head_of().highest(asked("Tengo mucho dolor de la cabeza y no puedo ver")) is None


def test_the_head_is_not_asked_where_a_rule_has_found_something() -> None:
    screened = Screen(head=head_of(BrokenEncoder())).examine(asked("I have crushing chest pain"), audience=None)

    assert [(flag.family, flag.source) for flag in screened.flags] == [("cardiac", FlagSource.RULES)]
    assert not screened.rules_alone


def test_an_encoder_that_fails_leaves_the_rules_alone_and_the_reply_says_so(caplog: pytest.LogCaptureFixture) -> None:
    screen = Screen(head=head_of(BrokenEncoder()))
    with caplog.at_level(logging.ERROR, logger="clinalign"):
        screened = screen.examine(asked("secret lantern"), audience=None)

    assert (screened.flags, screened.rules_alone) == ((), True)
    assert "secret" not in caplog.text


def test_a_turn_is_encoded_once_for_the_head_and_the_search() -> None:
    counted = Counting()
    head_of(counted).look(asked(DANGER))
    counted.recall(DANGER)

    assert counted.read == [DANGER]


class Counting(WordEncoder):
    """Notes what it reads."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []

    def encode_one(self, text: str) -> np.ndarray:
        self.read.append(text)
        return super().encode_one(text)


@given(st.lists(st.text(max_size=120), min_size=1, max_size=6))
def test_windows_lie_in_the_users_turns_and_are_bounded(texts: list[str]) -> None:
    conversation = Conversation(tuple(Message(Role.USER, text) for text in texts))
    windows = windows_of(conversation)

    assert len(windows) <= LIMIT
    for window in windows:
        turn = conversation.messages[window.span.message].content
        assert 0 <= window.span.start < window.span.end <= len(turn)
        assert turn[window.span.start : window.span.end].startswith(window.text)


def test_a_very_long_conversation_is_read_from_its_end() -> None:
    windows = windows_of(asked(*(f"this is turn {n}" for n in range(200))))

    assert len(windows) == LIMIT
    assert windows[0].text == "this is turn 199"


def test_an_assistants_words_are_no_window() -> None:
    conversation = Conversation((Message(Role.ASSISTANT, DANGER), Message(Role.USER, "thanks a lot then")))

    assert [window.text for window in windows_of(conversation)] == ["thanks a lot then"]


@pytest.fixture
def built(tmp_path: Path) -> Path:
    build(EXAMPLES, WordEncoder(), tmp_path / "screen")
    return tmp_path / "screen"


def test_what_was_built_reads_as_what_was_fitted(built: Path) -> None:
    opened = open_head(built, WordEncoder(), examples=EXAMPLES)

    assert (seen := opened.look(asked(DANGER))) is not None
    assert seen.family == "torsion"


def _edit(built: Path, **fields: object) -> None:
    content = json.loads((built / MANIFEST).read_text())
    (built / MANIFEST).write_text(json.dumps({**content, **fields}))


def test_a_head_built_from_something_else_is_refused(built: Path) -> None:
    with pytest.raises(SettingsError, match=r"an encoder .* run `clinalign screen build`"):
        open_head(built, WordEncoder("other"), examples=EXAMPLES)
    with pytest.raises(SettingsError, match="built from examples"):
        open_head(built, WordEncoder(), examples=EXAMPLES[:-1])
    _edit(built, format=99)
    with pytest.raises(SettingsError, match="a format"):
        open_head(built, WordEncoder(), examples=EXAMPLES)
    _edit(built, surprise=1)
    with pytest.raises(SettingsError, match="not a manifest"):
        open_head(built, WordEncoder(), examples=EXAMPLES)


def test_damaged_weights_are_refused(built: Path) -> None:
    (built / WEIGHTS).write_bytes(b"other")
    with pytest.raises(SettingsError, match=r"head\.npz: missing or damaged"):
        open_head(built, WordEncoder(), examples=EXAMPLES)


def test_a_missing_head_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"manifest\.json: no such file: run `clinalign screen build`"):
        open_head(tmp_path, WordEncoder(), examples=EXAMPLES)


def test_the_shipped_examples_cover_every_family_on_both_sides() -> None:
    examples = read_examples()
    families = {path.stem for path in Path("service/pipeline/screen/families").glob("*.yaml") if len(path.stem) > 2}

    assert len(examples) >= 1_500
    for family in families:
        mine = [example for example in examples if example.family == family]
        assert sum(example.danger for example in mine) >= 20, family
        assert sum(not example.danger for example in mine) >= 15, family
    assert digest(examples) != digest(examples[1:])


def test_a_wall_of_words_without_a_full_stop_is_read_in_parts() -> None:
    wall = " ".join(f"w{n}" for n in range(130))
    parts = [window.text.split() for window in windows_of(asked(wall))]

    assert [len(part) for part in parts] == [130, 60, 60, 10]


def test_of_a_turn_of_very_many_sentences_the_first_and_the_last_are_read() -> None:
    windows = windows_of(asked(" ".join(f"This is sentence {n}." for n in range(100))))

    assert len(windows) == LIMIT
    assert (windows[1].text, windows[-1].text) == ("This is sentence 0.", "This is sentence 99.")


def test_words_that_stand_in_few_examples_weigh_nothing() -> None:
    vocabulary = Vocabulary.of(["since noon it glows", "since noon it hums", "since noon it rains", "what is rain"])

    assert set(vocabulary.places) == {"since", "noon", "it", "since noon", "noon it"}
    assert vocabulary.weighed("roses glow") == []
    assert sum(weight**2 for _, weight in vocabulary.weighed("it rains since noon")) == pytest.approx(1.0)


def test_passages_are_sentences_and_runs_of_the_words_of_long_ones() -> None:
    assert passages_of("one short sentence") == ()
    assert passages_of("one short sentence. another short sentence.") == (
        "one short sentence.",
        "another short sentence.",
    )
    runs = passages_of(" ".join(f"w{n}" for n in range(26)))
    assert runs is not None
    assert runs[0].split() == [f"w{n}" for n in range(12)]
    assert {word for run in runs for word in run.split()} == {f"w{n}" for n in range(26)}


def test_a_text_of_too_many_passages_has_none_to_show() -> None:
    assert passages_of("this is a sentence. " * (LIMIT + 1)) is None


def test_clinicians_paperwork_is_learned_from_on_both_sides() -> None:
    examples = [example for example in read_examples() if example.group.startswith("clinicians/")]
    routine = {example.group for example in examples if not example.danger}

    assert len(routine) >= 5
    assert sum(example.danger for example in examples) >= 10
    assert sum(not example.danger for example in examples) >= 60
