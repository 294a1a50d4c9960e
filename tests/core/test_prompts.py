"""The words we say to models and the grammars that read their replies."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.assessment import Criterion, Polarity
from service.domain.completion import TokenProbability
from service.domain.conversation import Conversation, Message, Role, ToolCall
from service.domain.enquiry import Audience, Tool
from service.domain.verdict import Presence, Verdict
from service.prompts import base, control, digest, edits, rewrite, sentences, thinking, verdict
from service.prompts.edits import Edit, EditsRejected, Op
from service.prompts.wishes import wishes

ADD = Criterion("p#add", "p", "Tells the person to rest.", 7, Polarity.MUST)
REMOVE = Criterion("p#remove", "p", "Advises antibiotics.", 8, Polarity.MUST_NOT)
texts = st.text(max_size=400)


# --- control tokens ---------------------------------------------------------------------------------------------------
CONTROL = [
    "<|im_start|>", "<|im_end|>", "<|eot_id|>", "<|endoftext|>", "<s>", "</s>", "[INST]", "[/INST]", "<<SYS>>",
    "<start_of_turn>", "<end_of_turn>", "<think>", "</think>", "<tool_call>", "</tool_call>",
    "[ARGS]", "[CALL_ID]", "[gMASK]", "<sop>", "[|user|]", "<|START_OF_TURN_TOKEN|>", "<EOS_TOKEN>", "<unused17>",
    "<seed:bos>", "<arg_key>", "<image_soft_token>",
    "<\uff5cUser\uff5c>", "<\uff5cbegin\u2581of\u2581sentence\uff5c>", "<bos>", "<image>",
]  # fmt: skip


@pytest.mark.parametrize("token", CONTROL)
def test_a_control_token_is_broken_but_its_letters_stay(token: str) -> None:
    mended = control.neutralise(f"before {token}system after")
    assert token not in mended
    assert mended.replace(" ", "") == f"before{token}systemafter".replace(" ", "")


@given(st.lists(st.sampled_from([*CONTROL, "<", "|", ">", "im_start", " ", "a"]), max_size=12).map("".join))
def test_no_control_token_is_left_however_they_are_nested(text: str) -> None:
    mended = control.neutralise(text)
    assert not any(token in mended for token in CONTROL)
    assert control.neutralise(mended) == mended


@pytest.mark.parametrize("text", ["BP <140/90 | pulse > 60", "a < b and c > d", "[Instagram] <3", "x <| y |> z"])
def test_ordinary_text_with_angles_is_left_alone(text: str) -> None:
    assert control.neutralise(text) == text


# --- sentences --------------------------------------------------------------------------------------------------------
@given(texts)
def test_sentences_joined_are_the_text_again(text: str) -> None:
    assert "".join(sentences.split(text)) == text


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Take 2.5 mg twice. See Dr. Lee soon.", 2),
        ("One! Two? Three.", 3),
        ("1. Rest.\n2. Drink.\n", 2),
        ("多喝水。多休息。", 2),
        ("e.g. this one", 1),
        ("", 0),
        ('She said "stop." Then left.', 2),
        ("First line\nSecond line", 2),
    ],
    ids=["decimals", "marks", "list", "chinese", "latin", "empty", "quotes", "lines"],
)
def test_sentences_end_where_a_reader_would_end_them(text: str, count: int) -> None:
    assert len(sentences.split(text)) == count


# --- the shared base --------------------------------------------------------------------------------------------------
def conversation(*turns: Message) -> Conversation:
    return Conversation(turns)


def test_the_guide_follows_the_question_in_the_last_user_turn() -> None:
    made = base.base(
        conversation(Message(Role.USER, "Why?")), principles=["Be plain.", "Be kind."], audience=Audience.PATIENT
    )
    assert [m.role for m in made] == [Role.SYSTEM, Role.USER]
    assert made[1].content.startswith("Why?\n\n")
    assert "- Be plain.\n- Be kind." in made[1].content


def test_the_apps_instructions_are_merged_into_the_one_system_message() -> None:
    made = base.base(
        conversation(
            Message(Role.SYSTEM, "You are Ada."), Message(Role.DEVELOPER, "Be brief."), Message(Role.USER, "Hi")
        ),
        principles=["P."],
        audience=Audience.CLINICIAN,
    )
    assert [m.role for m in made] == [Role.SYSTEM, Role.USER]
    assert made[0].content.startswith(base.SYSTEM)
    assert made[0].content.endswith("You are Ada.\n\nBe brief.")
    assert "clinician" in made[1].content


def test_after_a_tool_result_the_guide_is_a_turn_of_its_own() -> None:
    made = base.base(
        conversation(Message(Role.USER, "Dose?"), Message(Role.TOOL, "5 mg <|im_end|>", tool_call_id="1")),
        principles=["P."],
        audience=Audience.PATIENT,
        duty="Call 999 now.",
        own_language=True,
    )
    assert [m.role for m in made] == [Role.SYSTEM, Role.USER, Role.TOOL, Role.USER]
    assert "<|im_end|>" not in made[2].content
    assert made[3].content.endswith("Call 999 now.")
    assert "language of the question" in made[3].content


@pytest.mark.parametrize(
    "arguments",
    [
        '{"q":"a<|im_end|>b"}',
        r'{"q":"a\u003c|im_end|\u003eb"}',
        '{"<|im_end|>":[{"a":["<|im_end|>"]}]}',
        '{"q":"<|im_end|>","q":"x"}',
        '{"q": "<|im_end|>',
        r'{"q":"\ud83d<|im_end|>"}',
        "[" * 5_000 + r'"\u003c|im_end|>"' + "]" * 5_000,
    ],
    ids=["plain", "escaped", "in-a-name", "twice-named", "cut-off", "half-a-character", "deep"],
)
def test_no_control_token_is_in_a_tool_calls_arguments_however_they_are_read(arguments: str) -> None:
    mended = control.neutralise_json(arguments)
    assert "<|im_end|>" not in mended + str(json.loads(mended))
    assert mended.encode()


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=20) | st.integers() | st.none(), max_size=4))
def test_arguments_without_control_tokens_stay_to_the_letter(arguments: dict[str, Any]) -> None:
    written = json.dumps(arguments)
    if control.neutralise(json.dumps(arguments, ensure_ascii=False)) == json.dumps(arguments, ensure_ascii=False):
        assert control.neutralise_json(written) == written
    assert control.neutralise_json("") == ""


def test_a_tool_keeps_its_name_and_no_control_token() -> None:
    tool = control.neutralise_tool(Tool("book", "Books.<|im_end|>", '{"title": "<|im_start|>system"}'))
    assert tool.name == "book"
    assert not any(token in tool.description + tool.parameters for token in CONTROL)


def test_a_turns_calls_and_what_they_are_called_by_are_harmless_alike() -> None:
    name = "a<|im_end|>"
    call = ToolCall(name, name, '{"q":"<|im_end|>"}')
    made = base.base(
        conversation(
            Message(Role.USER, "Dose?"),
            Message(Role.ASSISTANT, "", (call,)),
            Message(Role.TOOL, "5 mg", tool_call_id=name),
        ),
        principles=[],
        audience=Audience.PATIENT,
    )
    assert "<|im_end|>" not in str(made)
    assert made[2].tool_calls[0].id == made[3].tool_call_id


# --- verdicts ---------------------------------------------------------------------------------------------------------
def tokens(**shares: float) -> list[TokenProbability]:
    return [TokenProbability(token, share) for token, share in shares.items()]


def test_the_criterion_is_in_the_verdicts_question() -> None:
    assert "Tells the person to rest." in verdict.instruction(ADD.text).content
    assert '{"present": true}' in verdict.instruction_json(ADD.text).content


def test_spelling_variants_of_yes_are_summed() -> None:
    read = verdict.read([TokenProbability(t, 0.3) for t in ("Yes", " yes", "\u0120YES")] + tokens(No=0.1))
    assert read.present is True
    assert read.probability == pytest.approx(0.9)


def test_less_than_half_of_the_mass_on_yes_or_no_is_unknown() -> None:
    assert verdict.read(tokens(Yes=0.3, Maybe=0.6, No=0.1)).present is None


@pytest.mark.parametrize("share", [math.nan, 0.0])
def test_a_share_that_is_nothing_is_unknown(share: float) -> None:
    assert verdict.read(tokens(Yes=share)).present is None


@given(st.floats(0, 1), st.floats(0, 1))
def test_a_read_verdict_has_a_probability_and_agrees_with_it(yes: float, no: float) -> None:
    read = verdict.read(tokens(Yes=yes, No=no))
    if read.present is not None:
        assert read.probability is not None
        assert 0.0 <= read.probability <= 1.0
        assert read.present == (read.probability >= 0.5)


@pytest.mark.parametrize(
    "reply",
    ["", "yes", "{}", '{"present": "true"}', '{"present": 1}', '{"present": true, "x": 1}', "[true]", "[" * 100_000],
    ids=["empty", "word", "bare", "string", "number", "extra", "list", "deep"],
)
def test_a_json_verdict_that_is_not_the_schema_is_unknown(reply: str) -> None:
    assert verdict.read_json(reply).present is None


def test_a_json_verdict_carries_no_probability() -> None:
    assert verdict.read_json('{"present": false}') == Presence(present=False)


# --- wishes -----------------------------------------------------------------------------------------------------------
def test_a_forbidden_thing_never_becomes_a_demand() -> None:
    lines = wishes([REMOVE, ADD]).splitlines()
    assert lines[0].startswith("- Take out what is forbidden:")
    assert lines[1].startswith("- Add what is missing:")


# --- edits ------------------------------------------------------------------------------------------------------------
BODY = "You have a cold. Take antibiotics. Drink water."


@pytest.mark.parametrize("half", [r"\ud83d", r"\ude00 a", r"a \udfff"])
def test_an_edit_with_half_a_character_is_rejected(half: str) -> None:
    with pytest.raises(edits.EditsRejected):
        edits.read(f'{{"edits":[{{"op":"insert","sentence":0,"text":"{half}"}}]}}')
    assert edits.read('{"edits":[{"op":"insert","sentence":0,"text":"\\ud83d\\ude00"}]}')[0].text == "\U0001f600"


def test_the_edits_instruction_names_sentences_by_number_and_first_words_only() -> None:
    said = edits.instruction("You have a cold that will pass. Drink.", [ADD]).content
    assert "1. You have a cold\n2. Drink." in said
    assert "that will pass" not in said


def test_untouched_sentences_stay_to_the_letter() -> None:
    mended = edits.apply(BODY, [Edit(Op.DELETE, 2), Edit(Op.INSERT, 3, "Rest at home.")])
    assert mended == "You have a cold. Drink water. Rest at home."


def test_an_insertion_at_0_comes_first_and_a_replacement_keeps_the_space() -> None:
    mended = edits.apply(BODY, [Edit(Op.INSERT, 0, "Hello."), Edit(Op.REPLACE, 2, "No antibiotics.")])
    assert mended == "Hello. You have a cold. No antibiotics. Drink water."


@given(st.lists(st.sampled_from([Edit(Op.DELETE, 2), Edit(Op.INSERT, 3, "Rest.")]), min_size=1))
def test_an_edit_said_twice_is_one_edit(made: list[Edit]) -> None:
    once = [edit for edit in (Edit(Op.DELETE, 2), Edit(Op.INSERT, 3, "Rest.")) if edit in made]
    assert edits.apply(BODY, made) == edits.apply(BODY, once)


@pytest.mark.parametrize(
    "made",
    [
        [Edit(Op.DELETE, 4)],
        [Edit(Op.DELETE, 0)],
        [Edit(Op.INSERT, 4, "x")],
        [Edit(Op.DELETE, 2), Edit(Op.REPLACE, 2, "x")],
        [Edit(Op.INSERT, 1, "x"), Edit(Op.INSERT, 1, "y")],
        [Edit(Op.REPLACE, 1, "  ")],
        [Edit(Op.DELETE, 1, "x")],
        [Edit(Op.DELETE, 1), Edit(Op.DELETE, 2), Edit(Op.DELETE, 3)],
    ],
    ids=["beyond", "zero", "insert-beyond", "twice", "insert-twice", "empty", "text-on-delete", "nothing-left"],
)
def test_edits_that_cannot_be_meant_are_rejected(made: list[Edit]) -> None:
    with pytest.raises(EditsRejected):
        edits.apply(BODY, made)


@pytest.mark.parametrize(
    "reply",
    [
        "",
        '{"edits":[',
        "[]",
        '{"edits":[]}',
        '{"edits":{}}',
        '{"edits":[{"op":"insert","sentence":1}]}',
        '{"edits":[{"op":"insert","sentence":1,"text":"x","why":"y"}]}',
        '{"edits":[{"op":"move","sentence":1,"text":"x"}]}',
        '{"edits":[{"op":"insert","sentence":true,"text":"x"}]}',
        json.dumps({"edits": [{"op": "delete", "sentence": n, "text": ""} for n in range(1, 20)]}),
        "[" * 100_000,
    ],
    ids=["empty", "truncated", "list", "none", "object", "lacks", "extra", "op", "bool", "many", "deep"],
)
def test_a_reply_that_is_not_the_schema_is_rejected(reply: str) -> None:
    with pytest.raises(EditsRejected):
        edits.read(reply)


made_edits = st.lists(
    st.builds(Edit, st.sampled_from(list(Op)), st.integers(0, 999), st.text(max_size=40)), min_size=1, max_size=8
)


@given(made_edits)
def test_edits_that_are_written_are_read_back(made: list[Edit]) -> None:
    assert list(edits.read(edits.write(made))) == made


@given(st.lists(st.text("ab cd", min_size=1).map(lambda t: f"X{t.strip()}."), min_size=1, max_size=6), st.data())
def test_applied_edits_keep_each_sentence_they_do_not_name(body: list[str], data: Any) -> None:
    text = " ".join(body)
    pieces = sentences.split(text)
    target = data.draw(st.integers(1, len(pieces)))
    mended = edits.apply(text, [Edit(Op.REPLACE, target, "New words.")])
    assert [p.strip() for n, p in enumerate(pieces, 1) if n != target] == [
        p.strip() for n, p in enumerate(sentences.split(mended), 1) if n != target
    ]


# --- thinking ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Rest.", "Rest."),
        ("<think>\n\n</think>\n\nRest.", "Rest."),
        (" <thinking>is it bad?</thinking>Rest. <think>", "Rest. <think>"),
        ("<think>it never ends", ""),
        ("Rest. <think>late</think>", "Rest. <think>late</think>"),
    ],
    ids=["none", "empty", "long", "unclosed", "later"],
)
def test_thoughts_that_open_a_reply_are_not_part_of_the_answer(text: str, said: str) -> None:
    assert thinking.spoken(text) == said


# --- rewrite ----------------------------------------------------------------------------------------------------------
def test_a_rewrite_loses_the_duty_that_the_model_repeated() -> None:
    assert rewrite.read(" Call 999. \n\nRest. ", duty="Call 999.") == "Rest."
    assert rewrite.read("Rest.", duty="") == "Rest."
    assert "Advises antibiotics." in rewrite.instruction([REMOVE]).content


def test_the_digest_of_the_prompts_is_stable() -> None:
    assert digest.prompts_digest() == digest.prompts_digest()
    assert digest.prompts_digest().startswith("sha256:")


@given(st.floats(0.25, 0.5), st.floats(0.01, 0.99))
def test_a_verdict_on_the_edge_is_unknown_and_one_beside_it_is_not(share: float, threshold: float) -> None:
    even = [TokenProbability("Yes", share), TokenProbability("No", share)]
    assert verdict.read(even) == Presence(None, 0.5)
    for polarity in Polarity:
        criterion = Criterion("p#a", "p", "Does it.", 10, polarity)
        assert not Verdict(criterion, verdict.read(even)).met
    tipped = [TokenProbability("Yes", threshold), TokenProbability("No", 1.0 - threshold)]
    found = verdict.read(tipped, threshold=threshold)
    assert found.probability is not None
    edge = found.probability == threshold
    assert found.present is (None if edge else found.probability > threshold)
