"""Bytes become a checked body, or an error that names the field and repeats nothing."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.errors import InvalidRequest
from service.gateway.bodies import ChatBody, CheckBody, ScreenBody
from service.gateway.messages import conversation_of
from service.gateway.openai_body import REFUSED, CompletionBody, wanted_of
from service.gateway.reading import MAX_DEPTH, checked, parsed, written

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)
FIELDS = st.sampled_from(["messages", "role", "content", "options", "stream", "tools", "stop", "clinalign", "x y"])
SHAPED = st.dictionaries(FIELDS, JSON | st.lists(st.dictionaries(FIELDS, JSON)), max_size=4)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_object_or_a_400(raw: bytes) -> None:
    with suppress(InvalidRequest):
        assert isinstance(parsed(raw), dict)


@pytest.mark.parametrize("body", [ChatBody, CheckBody, ScreenBody, CompletionBody])
@given(value=SHAPED)
def test_any_object_is_a_body_or_a_400(body: Any, value: dict[str, Any]) -> None:
    with suppress(InvalidRequest):
        read = checked(parsed(json.dumps(value).encode()), body)
        assert isinstance(read, body)
        if not isinstance(read, CheckBody):
            conversation_of(read.messages)
        if isinstance(read, CompletionBody):
            wanted_of(read)


@given(word=st.from_regex(r"\Azqx[a-z ]{5,20}\Z"), value=SHAPED)
def test_an_error_repeats_no_value(word: str, value: dict[str, Any]) -> None:
    planted = {**value, "messages": [{"role": word, "content": [word], "name": [word]}, word], "options": word}
    with pytest.raises(InvalidRequest) as refused:
        checked(parsed(json.dumps(planted).encode()), ChatBody)
    assert word not in f"{refused.value} {refused.value.param} {refused.value.__cause__}"


@pytest.mark.parametrize("depth", [MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1])
def test_depth_is_counted_to_the_level(depth: int) -> None:
    raw = b'{"a":' + b"[" * (depth - 1) + b"1" + b"]" * (depth - 1) + b"}"
    if depth <= MAX_DEPTH:
        assert parsed(raw)
    else:
        with pytest.raises(InvalidRequest, match="deeper than 64"):
            parsed(raw)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("messages", 3, "role"), "messages[3].role"),
        ((), ""),
        (("a", 0, 1), "a[0][1]"),
        (("my chest hurts",), "?"),
        (("x" * 65,), "?"),
    ],
)
def test_a_path_is_written_as_one_would_and_repeats_no_sentence(path: tuple[str | int, ...], text: str) -> None:
    assert written(path) == text


@pytest.mark.parametrize("body", [ChatBody, CompletionBody])
def test_null_is_absence(body: type[ChatBody | CompletionBody]) -> None:
    optional = [name for name, known in body.model_fields.items() if not known.is_required()]
    for name in {*optional, *REFUSED} - {"options", "stream", "provisional", "clinalign"}:
        if body is CompletionBody or name in body.model_fields:
            assert checked({"messages": [{"role": "user", "content": "x"}], name: None}, body).messages


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_refused_passes_when_it_says_nothing(name: str) -> None:
    nothings: list[Any] = [None, False, [], {}, ""]  # zero says something: no answers, say
    for nothing in nothings:
        body = {"messages": [{"role": "user", "content": "x"}], name: nothing}
        assert checked(body, CompletionBody).messages
    with pytest.raises(InvalidRequest, match="cannot be honoured") as refused:
        checked({"messages": [{"role": "user", "content": "x"}], name: "x"}, CompletionBody)
    assert refused.value.param == name
