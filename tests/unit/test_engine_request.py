import json
from typing import Any

from service.domain.completion import Ask, Prompt
from service.domain.conversation import Message, Role, ToolCall
from service.domain.enquiry import Sampling, Shape, Tool
from service.engines.request import completion_body

HELLO = (Message(Role.USER, "hello"),)


def body(
    messages: tuple[Message, ...] = HELLO,
    *,
    shape: Shape | None = None,
    sampling: Sampling | None = None,
    top: int = 0,
    **extra: Any,
) -> dict[str, Any]:
    ask = Ask(Prompt(messages, shape or Shape()), sampling or Sampling(), top)
    parsed: dict[str, Any] = json.loads(completion_body(ask, model="m", extra=extra))
    return parsed


def test_the_plainest_ask_is_a_stream_with_usage_and_nothing_that_was_not_chosen() -> None:
    assert body() == {
        "model": "m",
        "messages": [{"role": "user", "content": "hello"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_every_sampling_choice_is_sent_under_its_openai_name() -> None:
    sampling = Sampling(
        temperature=0.0, top_p=0.9, max_tokens=5, seed=0, stop=("x",), presence_penalty=0.1, frequency_penalty=0.2
    )
    sent = body(sampling=sampling)
    assert {name: sent[name] for name in sent if name not in body()} == {
        "temperature": 0.0,
        "top_p": 0.9,
        "max_tokens": 5,
        "seed": 0,
        "stop": ["x"],
        "presence_penalty": 0.1,
        "frequency_penalty": 0.2,
    }


def test_probabilities_are_asked_for_up_to_the_twenty_that_servers_give() -> None:
    assert "logprobs" not in body()
    assert (body(top=5)["logprobs"], body(top=5)["top_logprobs"], body(top=50)["top_logprobs"]) == (True, 5, 20)


def test_a_cache_salt_goes_only_to_servers_that_take_one() -> None:
    ask = Ask(Prompt(HELLO), Sampling(), cache_salt="grains")
    sent = {vllm: json.loads(completion_body(ask, model="m", extra={}, vllm=vllm)) for vllm in (True, False)}
    assert (sent[True]["cache_salt"], sent[False].get("cache_salt")) == ("grains", None)
    assert sent[True]["stream_options"] == {"include_usage": True, "continuous_usage_stats": True}
    assert sent[False]["stream_options"] == {"include_usage": True}
    unsalted = completion_body(Ask(Prompt(HELLO), Sampling()), model="m", extra={}, vllm=True)
    assert "cache_salt" not in json.loads(unsalted)


def test_extra_fields_are_sent_and_give_way_to_the_ask() -> None:
    sent = body(
        sampling=Sampling(temperature=0.5), chat_template_kwargs={"enable_thinking": False}, temperature=1, stream=False
    )
    assert sent["chat_template_kwargs"] == {"enable_thinking": False}
    assert (sent["temperature"], sent["stream"]) == (0.5, True)


def test_tool_calls_and_their_results_are_in_openai_form() -> None:
    turns = (
        Message(Role.ASSISTANT, "", (ToolCall("c1", "dose", '{"drug":"x"}'),)),
        Message(Role.TOOL, "400 mg", tool_call_id="c1"),
    )
    call = {"id": "c1", "type": "function", "function": {"name": "dose", "arguments": '{"drug":"x"}'}}
    assert body(turns)["messages"] == [
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "400 mg", "tool_call_id": "c1"},
    ]


def test_the_developer_role_is_never_sent() -> None:
    assert body((Message(Role.DEVELOPER, "be brief"),))["messages"] == [{"role": "system", "content": "be brief"}]


def test_tools_and_the_choice_among_them_are_sent() -> None:
    tool = Tool("dose", "looks up a dose", '{"type": "object"}')
    sent = body(shape=Shape(tools=(tool,), tool_choice="required"))
    function = {"name": "dose", "description": "looks up a dose", "parameters": {"type": "object"}}
    assert (sent["tools"], sent["tool_choice"]) == ([{"type": "function", "function": function}], "required")
    named = body(shape=Shape(tools=(tool,), tool_choice="dose"))["tool_choice"]
    assert named == {"type": "function", "function": {"name": "dose"}}


def test_a_schema_is_a_strict_response_format_and_goes_before_any_json_object() -> None:
    sent = body(shape=Shape(schema='{"type":"object"}', schema_name="note", json_object=True))
    schema = {"name": "note", "schema": {"type": "object"}, "strict": True}
    assert sent["response_format"] == {"type": "json_schema", "json_schema": schema}
    assert body(shape=Shape(json_object=True))["response_format"] == {"type": "json_object"}


def test_how_long_to_think_is_said_in_both_ways_that_servers_know() -> None:
    kwargs: dict[str, Any] = {"enable_thinking": False, "date": "today"}
    ask = Ask(Prompt(HELLO), Sampling(reasoning_effort="low"))
    told = json.loads(completion_body(ask, model="m", extra={"chat_template_kwargs": {**kwargs}}, thinks=True))
    assert told["reasoning_effort"] == "low"
    assert told["chat_template_kwargs"] == {"enable_thinking": True, "date": "today"}
    for unasked in (body(chat_template_kwargs=kwargs), body(sampling=ask.sampling, chat_template_kwargs=kwargs)):
        assert "reasoning_effort" not in unasked
        assert unasked["chat_template_kwargs"] == kwargs
