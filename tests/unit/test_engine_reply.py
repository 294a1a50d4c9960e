import contextlib
import json
import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.completion import TokenProbability, Usage
from service.domain.conversation import ToolCall
from service.domain.errors import EngineError, EngineGarbled, EngineRefused, EngineUnavailable
from service.engines.failure import failure_of
from service.engines.reply import Reply
from service.engines.retry import Busy, TryAgain


def choice(delta: dict[str, Any] | None = None, **more: Any) -> str:
    return json.dumps({"choices": [{"index": 0, "delta": delta or {}, **more}]})


STOP = choice(finish_reason="stop")


def reply(*events: str) -> Reply:
    taken = Reply()
    for event in events:
        assert not taken.take(event)
    return taken


def test_pieces_of_text_are_joined_and_handed_on_as_they_come() -> None:
    heard: list[str] = []
    taken = Reply(heard.append)
    for event in (
        choice({"role": "assistant", "content": None}),
        choice({"content": "a"}),
        choice({"content": "b"}),
        STOP,
    ):
        taken.take(event)
    assert heard == ["a", "b"]
    assert (taken.completion().text, taken.completion().finish_reason) == ("ab", "stop")


def test_done_is_the_last_event() -> None:
    assert Reply().take(" [DONE]")


def test_usage_comes_with_the_tokens_that_were_cached() -> None:
    vllm = {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 8}}
    assert reply(STOP, json.dumps({"choices": [], "usage": vllm})).completion().usage == Usage(9, 2, 8)


@pytest.mark.parametrize(
    ("timings", "cached"), [({"cache_n": 7}, 7), ({}, 0), (None, 0)], ids=["llama.cpp", "not said", "no timings"]
)
def test_cached_tokens_may_stand_in_llama_cpp_timings(timings: dict[str, int] | None, cached: int) -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": None}
    event = json.dumps({"choices": [], "usage": usage, "timings": timings})
    assert reply(STOP, event).completion().usage == Usage(9, 2, cached)


def test_tool_calls_are_put_together_from_their_pieces_in_order_of_index() -> None:
    def part(index: int, **more: Any) -> str:
        return choice({"tool_calls": [{"index": index, **more}]})

    calls = reply(
        part(1, id="b", function={"name": "g", "arguments": ""}),
        part(0, id="a", function={"name": "f", "arguments": '{"x"'}),
        part(0, function={"arguments": ":1}"}),
        choice(finish_reason="tool_calls"),
    ).completion()
    assert calls.tool_calls == (ToolCall("a", "f", '{"x":1}'), ToolCall("b", "g", ""))
    assert calls.finish_reason == "tool_calls"


def test_only_the_first_token_is_reported_and_as_probabilities() -> None:
    def at(token: str, *logprobs: float | None) -> str:
        top = [{"token": f"{token}{number}", "logprob": logprob} for number, logprob in enumerate(logprobs)]
        return choice({"content": token}, logprobs={"content": [{"token": token, "top_logprobs": top}]})

    first = reply(at("a", math.log(0.5), -9999.0, None, 1e-9), at("b", -1.0), STOP).completion().first_token
    assert first == (TokenProbability("a0", 0.5), TokenProbability("a1", 0.0), TokenProbability("a3", 1.0))


@pytest.mark.parametrize(
    "data",
    [
        "{",
        "[]",
        "null",
        '{"choices": 3}',
        '{"choices": [{"delta": {"content": 5}}]}',
        '{"usage": {"prompt_tokens": "x"}}',
        '{"choices": [{"delta": {"tool_calls": [{"index": 4096}]}}]}',
    ],
)
def test_a_chunk_that_cannot_be_read_is_garbled_and_its_text_is_not_kept(data: str) -> None:
    with pytest.raises(EngineGarbled, match="cannot be read") as caught:
        Reply().take(data)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("reason", [None, "abort", "error"])
def test_a_stream_that_ends_without_a_good_reason_broke_off(reason: str | None) -> None:
    with pytest.raises(EngineGarbled, match="before the answer's end"):
        reply(choice({"content": "half"}, finish_reason=reason)).completion()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"message": "the patient said", "type": "BadRequestError", "code": 400}, EngineRefused),
        ({"message": "the patient said", "code": 500}, EngineUnavailable),
        ({"message": "the patient said", "code": "429"}, EngineUnavailable),
        ({"message": "the patient said"}, EngineGarbled),
        ("the patient said", EngineGarbled),
    ],
    ids=["bad request", "server error", "busy", "no code", "only words"],
)
def test_an_error_inside_a_stream_is_an_error_without_its_words(error: object, expected: type[EngineError]) -> None:
    with pytest.raises(expected) as caught:
        Reply().take(json.dumps({"error": error}))
    assert "patient" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "expected"),
    [(302, EngineRefused), (400, EngineRefused), (404, EngineRefused), (429, Busy), (500, EngineUnavailable),
     (502, TryAgain), (503, TryAgain), (504, TryAgain)],
)  # fmt: skip
def test_a_status_names_its_error(status: int, expected: type[EngineError]) -> None:
    failure = failure_of(status, b'{"error":{"code":"context_length_exceeded","type":"my chest hurts"}}', after_s=None)
    assert type(failure) is expected
    assert str(failure) == f"the engine answered {status} (context_length_exceeded)"


@given(st.binary(max_size=200))
def test_nothing_of_a_body_but_names_gets_into_an_error_message(body: bytes) -> None:
    said = str(failure_of(500, body, after_s=None))
    assert re.fullmatch(r"the engine answered 500( \([\w.-]{1,48}(, [\w.-]{1,48})?\))?", said, re.ASCII)


NAMES = st.sampled_from(["choices", "delta", "content", "usage", "error", "code", "logprobs", "finish_reason"])
VALUES = st.recursive(
    st.none() | st.integers() | st.floats() | st.text(), lambda part: st.lists(part) | st.dictionaries(NAMES, part)
)


@given(st.text(max_size=100) | VALUES.map(json.dumps))
def test_any_event_is_taken_or_refused_by_an_engine_error(data: str) -> None:
    with contextlib.suppress(EngineError):
        assert isinstance(Reply().take(data), bool)
