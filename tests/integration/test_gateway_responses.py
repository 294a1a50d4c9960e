"""POST /v1/responses as OpenAI's own client asks: text, tools, structure, streams, and nothing unjudged in any."""

from typing import Any

import openai
import pytest
from pydantic import BaseModel

from service.domain.completion import Ask, Completion
from service.domain.conversation import Role, ToolCall
from service.domain.enquiry import FailurePolicy, Tenant
from service.domain.errors import EngineRefused
from service.gateway.desk import Limits, Tenants
from tests.fakes import hang
from tests.gateway_fakes import BAD, CHEST, COUGH, DUTY, GOOD, FakeDesk, client_of, events, is_verdict, plays
from tests.integration.test_gateway_chat import slow
from tests.integration.test_gateway_openai import openai_client

PATH = "/v1/responses"
QUESTION = COUGH["messages"][0]["content"]
CALL = ToolCall("call_1", "find_clinic", '{"near":"here"}')
TOOLS: Any = [
    {"type": "function", "name": "find_clinic", "description": None, "parameters": {"type": "object"}, "strict": True}
]


async def test_a_response_is_the_standard_object_with_ours_beside_it() -> None:
    fake = FakeDesk(plays(BAD))
    async with openai_client(fake) as client:
        reply = await client.responses.create(
            model="fake",
            input=QUESTION,
            instructions="Be brief.",
            max_output_tokens=33,
            temperature=0.1,
            top_p=0.9,
            store=False,
            metadata={"a": "b"},
        )
    assert (reply.output_text, reply.status, (reply.model_extra or {})["store"]) == (GOOD, "completed", False)
    assert (reply.instructions, reply.max_output_tokens, reply.metadata) == ("Be brief.", 33, {"a": "b"})
    ours: Any = (reply.model_extra or {})["clinalign"]
    assert (ours["outcome"], reply.id.removeprefix("resp_")) == ("released", ours["id"].removeprefix("chat_"))
    assert reply.usage is not None
    assert reply.usage.total_tokens == ours["usage"]["total_tokens"]
    assert reply.usage.input_tokens_details.cached_tokens > 0
    draft = fake.engine.asks[0]
    assert (draft.sampling.max_tokens, draft.sampling.temperature, draft.sampling.top_p) == (33, 0.1, 0.9)
    assert "Be brief." in draft.prompt.messages[0].content
    assert draft.prompt.messages[-1].content.startswith(QUESTION)


async def test_a_response_says_what_was_understood_of_every_parameter() -> None:
    asked = {"model": "fake", "input": QUESTION, "prompt_cache_key": "ward", "safety_identifier": "app-user"}
    async with client_of(FakeDesk()) as client:
        reply = (await client.post(PATH, json=asked)).json()
        chosen = (await client.post(PATH, json={**asked, "temperature": 0, "top_p": 0.5})).json()
    assert (reply["prompt_cache_key"], reply["safety_identifier"]) == ("ward", "app-user")
    assert (reply["temperature"], reply["top_p"]) == (1.0, 1.0)
    assert (chosen["temperature"], chosen["top_p"]) == (0, 0.5)
    untouched = {"background", "max_tool_calls", "top_logprobs", "presence_penalty", "frequency_penalty"}
    assert not any(reply[name] for name in untouched)


async def test_the_clients_stream_helper_reads_every_event() -> None:
    async with openai_client(FakeDesk(plays(BAD))) as client:
        async with client.responses.stream(model="fake", input=QUESTION) as stream:
            told = [event async for event in stream]
            final = await stream.get_final_response()
        whole = await client.responses.create(model="fake", input=QUESTION)
    kinds = [event.type for event in told]
    assert kinds[:4] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert kinds[-4:] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert "".join(event.delta for event in told if event.type == "response.output_text.delta") == GOOD
    assert final.output_text == whole.output_text == GOOD


async def test_events_are_named_and_numbered_and_a_stream_is_kept_alive() -> None:
    fake = FakeDesk(slow(0.1, plays()), limits=Limits(keep_alive_s=0.02))
    async with client_of(fake) as client:
        told = events((await client.post(PATH, json={"input": QUESTION, "stream": True})).content)
    named = [(name, data) for name, data in told if name != ":"]
    assert all(name == data["type"] for name, data in named)
    assert [data["sequence_number"] for _, data in named] == list(range(len(named)))
    assert told.count((":", "checking")) >= 3


async def test_tool_calls_are_judged_and_given_on_both_paths() -> None:
    fake = FakeDesk(plays("", tool_calls=(CALL,), finish_reason="tool_calls"))
    async with openai_client(fake) as client:
        plain = await client.responses.create(model="fake", input=QUESTION, tools=TOOLS, tool_choice="required")
        async with client.responses.stream(model="fake", input=QUESTION, tools=TOOLS) as stream:
            streamed = await stream.get_final_response()
    for reply in (plain, streamed):
        (item,) = reply.output
        assert item.type == "function_call"
        assert (item.call_id, item.name, item.arguments) == (CALL.id, CALL.name, CALL.arguments)
        assert reply.status == "completed"
    assert any("find_clinic" in ask.prompt.messages[-2].content for ask in fake.engine.asks if is_verdict(ask))


async def test_a_conversation_with_calls_is_taken_back_as_it_was_given() -> None:
    fake = FakeDesk(plays("", tool_calls=(CALL,), finish_reason="tool_calls"))
    asked: list[Any] = [{"role": "user", "content": [{"type": "input_text", "text": QUESTION}]}]
    async with openai_client(fake) as client:
        first = await client.responses.create(model="fake", input=asked, tools=TOOLS)
        fake.engine.script = plays()
        output: Any = {"type": "function_call_output", "call_id": CALL.id, "output": '{"open":true}'}
        again: Any = [*asked, *(item.model_dump(exclude_none=True) for item in first.output), output]
        fake.engine.asks.clear()
        second = await client.responses.create(model="fake", input=again, tools=TOOLS)
        fake.engine.asks.clear()
        third: Any = [
            *again,
            *(i.model_dump(exclude_none=True) for i in second.output),
            {"role": "user", "content": "?"},
        ]
        await client.responses.create(model="fake", input=third)
    assert second.output_text == GOOD
    roles = [m.role for m in fake.engine.asks[0].prompt.messages]
    assert roles == [Role.SYSTEM, Role.USER, Role.ASSISTANT, Role.TOOL, Role.ASSISTANT, Role.USER]


async def test_words_and_calls_of_one_turn_stand_in_one_turn() -> None:
    fake = FakeDesk()
    calls = [{"type": "function_call", "call_id": c, "name": "find_clinic", "arguments": "{}"} for c in ("a", "b")]
    outputs = [{"type": "function_call_output", "call_id": c, "output": "1"} for c in ("a", "b")]
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]}
    async with client_of(fake) as client:
        body = {"input": [{"role": "user", "content": QUESTION}, said, *calls, *outputs]}
        assert (await client.post(PATH, json=body)).status_code == 200
    messages = fake.engine.asks[0].prompt.messages
    assert [m.role for m in messages[1:5]] == [Role.USER, Role.ASSISTANT, Role.TOOL, Role.TOOL]
    assert (messages[2].content, len(messages[2].tool_calls)) == ("I look.", 2)


async def test_a_red_flag_is_found_where_the_caller_put_it() -> None:
    calls = [{"type": "function_call", "call_id": c, "name": "find_clinic", "arguments": "{}"} for c in ("a", "b")]
    outputs = [{"type": "function_call_output", "call_id": c, "output": "1"} for c in ("a", "b")]
    asked = [{"role": "user", "content": "Hello."}, *calls, *outputs, CHEST["messages"][0]]
    body = {"input": asked, "instructions": "Be kind."}
    async with client_of(FakeDesk()) as client:
        plain = (await client.post(PATH, json=body)).json()["clinalign"]
        stream = events((await client.post(PATH, json={**body, "stream": True})).content)[-1][1]["response"][
            "clinalign"
        ]
    assert {reply["red_flags"][0]["evidence"]["message"] for reply in (plain, stream)} == {5}


async def test_a_schema_that_the_engine_refuses_is_named_as_this_body_names_it() -> None:
    def refuses(ask: Ask) -> Completion:
        if ask.prompt.shape.schema:
            raise EngineRefused("the engine answered 400", status=400)
        return Completion("Rest.", "stop")

    body = {"input": QUESTION, "text": {"format": {"type": "json_schema", "name": "odd", "schema": {"type": "odd"}}}}
    async with client_of(FakeDesk(refuses)) as client:
        plain = await client.post(PATH, json=body)
        stream = events((await client.post(PATH, json={**body, "stream": True})).content)[-1][1]
    assert (plain.status_code, plain.json()["error"]["param"]) == (400, "text.format")
    assert (stream["type"], stream["param"]) == ("error", "text.format")


async def test_a_structured_answer_is_parsed_by_the_client() -> None:
    class Advice(BaseModel):
        advice: str

    fake = FakeDesk(plays('{"advice":"Rest."}'))
    async with openai_client(fake) as client:
        reply = await client.responses.parse(model="fake", input=CHEST["messages"][0]["content"], text_format=Advice)
    assert reply.output_parsed == Advice(advice="Rest.")
    ours: Any = (reply.model_extra or {})["clinalign"]
    assert ours["red_flags"][0]["advice"] == DUTY
    assert fake.engine.asks[0].prompt.shape.schema_name == "Advice"


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_what_does_not_pass_is_incomplete_with_the_policys_words(stream: bool) -> None:
    async with client_of(FakeDesk(plays(BAD, revision=BAD))) as client:
        reply = await client.post(PATH, json={"input": QUESTION, "stream": stream})
    whole = events(reply.content)[-1][1]["response"] if stream else reply.json()
    assert (whole["status"], whole["incomplete_details"]) == ("incomplete", {"reason": "content_filter"})
    assert whole["output"][0]["content"][0]["text"].startswith("I cannot give you an answer")
    assert b"Forbiddenword" not in reply.content


async def test_calls_that_fail_their_verdicts_do_not_leave() -> None:
    tenants = Tenants(open_to=Tenant("local", failure_policy=FailurePolicy.FAIL_CLOSED))
    fake = FakeDesk(plays("", tool_calls=(CALL,), passes=lambda answer: "find_clinic" not in answer), tenants=tenants)
    async with client_of(fake) as client:
        for stream in (False, True):
            reply = await client.post(PATH, json={"input": QUESTION, "tools": TOOLS, "stream": stream})
            assert b'"arguments"' not in reply.content
            assert b'"reason":"content_filter"' in reply.content


async def test_a_draft_cut_short_is_incomplete_by_its_length() -> None:
    async with openai_client(FakeDesk(plays(finish_reason="length"))) as client:
        reply = await client.responses.create(model="fake", input=QUESTION, max_output_tokens=5)
    assert (reply.status, reply.incomplete_details and reply.incomplete_details.reason) == (
        "incomplete",
        "max_output_tokens",
    )


async def test_an_error_in_mid_stream_is_raised_by_the_client() -> None:
    class Wrecked:
        async def record(self, entry: Any) -> None:
            raise ZeroDivisionError

    async with openai_client(FakeDesk(ledger=Wrecked())) as client:
        stream = await client.responses.create(model="fake", input=QUESTION, stream=True)
        with pytest.raises(openai.APIError, match="inside the gateway"):
            _ = [event async for event in stream]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no input": ({}, "input"),
    "empty": ({"input": ""}, "input[0].content"),
    "no items": ({"input": []}, "input"),
    "a bare string among items": ({"input": ["a"]}, "input[0].type"),
    "unknown item": ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0].type"),
    "reasoning": ({"input": [{"type": "reasoning", "summary": []}]}, "input[0].type"),
    "an image": (
        {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]},
        "input[0].content[0].type",
    ),
    "output without a call": (
        {"input": [{"role": "user", "content": "a"}, {"type": "function_call_output", "call_id": "x", "output": "1"}]},
        "input[1].call_id",
    ),
    "the assistant last": (
        {"input": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
        "input[1].role",
    ),
    "previous response": ({"input": "a", "previous_response_id": "resp_1"}, "previous_response_id"),
    "conversation": ({"input": "a", "conversation": "conv_1"}, "conversation"),
    "stored": ({"input": "a", "store": True}, "store"),
    "background": ({"input": "a", "background": True}, "background"),
    "logprobs": ({"input": "a", "include": ["message.output_text.logprobs"]}, "include"),
    "reasoning effort": ({"input": "a", "reasoning": {"effort": "high"}}, "reasoning.effort"),
    "thoughts": ({"input": "a", "reasoning": {"summary": "auto"}}, "reasoning.summary"),
    "reasoning a word": ({"input": "a", "reasoning": "high"}, "reasoning"),
    "text a word": ({"input": "a", "text": "json"}, "text"),
    "a built-in tool": ({"input": "a", "tools": [{"type": "web_search"}]}, "tools[0].type"),
    "a choice of no tools": ({"input": "a", "tool_choice": "required"}, "tool_choice"),
    "another tool": (
        {"input": "a", "tools": TOOLS, "tool_choice": {"type": "function", "name": "x"}}, "tool_choice.name",
    ),
    "a schema without a name": (
        {"input": "a", "text": {"format": {"type": "json_schema", "schema": {}}}}, "text.format.name",
    ),
    "verbosity": ({"input": "a", "text": {"verbosity": "low"}}, "text.verbosity"),
    "messages": ({"input": "a", "messages": []}, "messages"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "param"), WRONG.values(), ids=WRONG.keys())
async def test_what_cannot_be_honoured_is_refused_by_name(body: dict[str, Any], param: str) -> None:
    fake = FakeDesk(hang)
    async with client_of(fake) as client:
        reply = await client.post(PATH, json=body)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)
    assert fake.engine.asks == []


async def test_defaults_that_clients_send_say_nothing_and_pass() -> None:
    body = {
        "input": "a", "store": None, "background": False, "include": ["reasoning.encrypted_content"], "tools": [],
        "reasoning": {"effort": "none"}, "service_tier": "auto", "truncation": "disabled", "top_logprobs": 0,
        "previous_response_id": None, "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
    }  # fmt: skip
    async with client_of(FakeDesk()) as client:
        assert (await client.post(PATH, json=body)).status_code == 200
