"""The OpenAI drop-in as OpenAI's own client sees it."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import openai
import pytest
from pydantic import BaseModel

from service.domain.conversation import ToolCall
from service.domain.enquiry import FailurePolicy, Tenant
from service.gateway.desk import Limits, Tenants
from tests.gateway_fakes import BAD, CHEST, COUGH, DUTY, GOOD, FakeDesk, client_of, events, is_verdict, plays, serving
from tests.integration.test_gateway_chat import slow

MESSAGES: Any = COUGH["messages"]
CHEST_MESSAGES: Any = CHEST["messages"]
CALL = ToolCall("call_1", "find_clinic", '{"near":"here"}')
TOOLS: Any = [
    {
        "type": "function",
        "function": {"name": "find_clinic", "description": "Finds one.", "parameters": {"type": "object"}},
    }
]


@asynccontextmanager
async def openai_client(fake: FakeDesk, key: str = "any") -> AsyncIterator[openai.AsyncOpenAI]:
    async with (
        serving(fake.web) as address,
        openai.AsyncOpenAI(base_url=f"{address}/v1", api_key=key, max_retries=0, timeout=10) as client,
    ):
        yield client


async def test_a_completion_is_the_standard_object_with_ours_beside_it() -> None:
    async with openai_client(FakeDesk(plays(BAD))) as client:
        reply = await client.chat.completions.create(model="fake", messages=MESSAGES)
    choice = reply.choices[0]
    assert (choice.message.content, choice.message.role, choice.finish_reason) == (GOOD, "assistant", "stop")
    ours: Any = (reply.model_extra or {})["clinalign"]
    assert (ours["outcome"], ours["answer"]) == ("released", GOOD)
    assert reply.id.removeprefix("chatcmpl-") == ours["id"].removeprefix("chat_")
    assert reply.usage is not None
    assert reply.usage.prompt_tokens_details is not None
    assert reply.usage.total_tokens == ours["usage"]["total_tokens"]
    assert reply.usage.prompt_tokens_details.cached_tokens == ours["usage"]["cached_tokens"] > 0


async def test_a_message_has_every_field_that_openais_has() -> None:
    async with client_of(FakeDesk()) as client:
        reply = (await client.post("/v1/chat/completions", json=COUGH)).json()
    message: dict[str, object] = {"role": "assistant", "content": GOOD, "refusal": None, "annotations": []}
    assert reply["choices"][0]["message"] == message


async def test_what_the_client_parsed_of_a_reply_is_taken_back() -> None:
    fake = FakeDesk(plays("", tool_calls=(CALL,), finish_reason="tool_calls"))
    async with openai_client(fake) as client:
        async with client.chat.completions.stream(model="fake", messages=MESSAGES, tools=TOOLS) as stream:
            called: Any = (await stream.get_final_completion()).choices[0].message
        assert "parsed" in called.model_dump(exclude_unset=True)
        result = {"role": "tool", "tool_call_id": CALL.id, "content": "Riverside"}
        turns: Any = [*MESSAGES, called, result]
        await client.chat.completions.create(model="fake", messages=turns, tools=TOOLS)
    told = [ask.prompt.messages for ask in fake.engine.asks if not is_verdict(ask)][-1]
    assert [call.name for turn in told for call in turn.tool_calls] == [CALL.name]


async def test_a_stream_says_role_text_finish_and_no_usage_unless_asked() -> None:
    async with openai_client(FakeDesk(plays(BAD))) as client:
        stream = await client.chat.completions.create(model="fake", messages=MESSAGES, stream=True)
        chunks = [chunk async for chunk in stream]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == GOOD
    assert [c.choices[0].finish_reason for c in chunks if c.choices[0].finish_reason] == ["stop"]
    last: Any = chunks[-1].model_extra
    assert (last["clinalign"]["outcome"], last["clinalign"]["answer"]) == ("released", GOOD)
    assert all(c.usage is None for c in chunks)
    assert len({c.id for c in chunks}) == 1
    assert len(chunks) > 5


async def test_usage_comes_last_with_no_choices_when_asked_for() -> None:
    async with openai_client(FakeDesk()) as client:
        stream = await client.chat.completions.create(
            model="fake", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens > 100


async def test_the_bytes_of_a_stream_carry_no_id_field_and_end_with_done() -> None:
    fake = FakeDesk(slow(0.1, plays()), limits=Limits(keep_alive_s=0.02))
    async with client_of(fake) as client:
        response = await client.post("/v1/chat/completions", json={**COUGH, "stream": True})
    lines = response.text.split("\n")
    assert not any(line.startswith("id:") for line in lines)
    told = events(response.content)
    assert told[0][1]["choices"][0]["delta"]["role"] == "assistant"
    assert (":", "checking") in told
    assert told[-1] == ("", "[DONE]")


async def test_the_role_comes_before_the_model_has_answered() -> None:
    fake = FakeDesk(slow(30, plays()))
    async with client_of(fake) as client, asyncio.timeout(2):
        body = {**COUGH, "stream": True}
        async with client.stream("POST", "/v1/chat/completions", json=body) as response:
            first = await anext(response.aiter_bytes())
    assert b'"role":"assistant"' in first


REFUSING = {
    "safe message": (FailurePolicy.SAFE_MESSAGE, "I cannot give you an answer"),
    "withheld": (FailurePolicy.FAIL_CLOSED, ""),
}


@pytest.mark.parametrize(("policy", "opens"), REFUSING.values(), ids=REFUSING.keys())
async def test_what_does_not_pass_is_a_content_filter_with_the_policys_words(policy: FailurePolicy, opens: str) -> None:
    fake = FakeDesk(plays(BAD, revision=BAD), tenants=Tenants(open_to=Tenant("local", failure_policy=policy)))
    async with openai_client(fake) as client:
        plain = await client.chat.completions.create(model="fake", messages=MESSAGES)
        stream = await client.chat.completions.create(model="fake", messages=MESSAGES, stream=True)
        chunks = [chunk async for chunk in stream]
    text = "".join(c.choices[0].delta.content or "" for c in chunks)
    assert plain.choices[0].finish_reason == chunks[-1].choices[0].finish_reason == "content_filter"
    assert plain.choices[0].message.refusal is None
    assert text == plain.choices[0].message.content
    assert text.startswith(opens)
    assert "Forbiddenword" not in text


async def test_a_real_finish_reason_is_told() -> None:
    async with openai_client(FakeDesk(plays(finish_reason="length"))) as client:
        reply = await client.chat.completions.create(model="fake", messages=MESSAGES, max_tokens=5)
    assert reply.choices[0].finish_reason == "length"


async def test_tool_calls_are_judged_and_given_on_both_paths() -> None:
    fake = FakeDesk(plays("", tool_calls=(CALL,), finish_reason="tool_calls"))
    async with openai_client(fake) as client:
        plain = await client.chat.completions.create(model="fake", messages=MESSAGES, tools=TOOLS)
        async with client.chat.completions.stream(model="fake", messages=MESSAGES, tools=TOOLS) as stream:
            streamed = await stream.get_final_completion()
    for reply in (plain, streamed):
        choice = reply.choices[0]
        assert (choice.finish_reason, choice.message.content or None) == ("tool_calls", None)
        assert choice.message.tool_calls is not None
        call: Any = choice.message.tool_calls[0]
        assert (call.id, call.function.name, call.function.arguments) == (CALL.id, CALL.name, CALL.arguments)
    assert any("find_clinic" in ask.prompt.messages[-2].content for ask in fake.engine.asks if is_verdict(ask))


async def test_tool_calls_that_fail_their_verdicts_do_not_leave() -> None:
    fake = FakeDesk(plays("", tool_calls=(CALL,), passes=lambda answer: "find_clinic" not in answer))
    async with client_of(fake) as client:
        for stream in (False, True):
            body = {**COUGH, "tools": TOOLS, "stream": stream}
            response = await client.post("/v1/chat/completions", json=body)
            assert b"find_clinic" not in response.content
            assert b"content_filter" in response.content


async def test_one_tool_call_at_a_time_is_honoured() -> None:
    calls = (CALL, ToolCall("call_2", "find_clinic", "{}"))
    async with openai_client(FakeDesk(plays("", tool_calls=calls, finish_reason="tool_calls"))) as client:
        many = await client.chat.completions.create(model="fake", messages=MESSAGES, tools=TOOLS)
        one = await client.chat.completions.create(
            model="fake", messages=MESSAGES, tools=TOOLS, parallel_tool_calls=False
        )
    assert [len(reply.choices[0].message.tool_calls or ()) for reply in (many, one)] == [2, 1]


async def test_a_structured_answer_is_parsed_by_the_client() -> None:
    class Advice(BaseModel):
        advice: str

    fake = FakeDesk(plays('{"advice":"Rest."}'))
    async with openai_client(fake) as client:
        reply = await client.chat.completions.parse(model="fake", messages=CHEST_MESSAGES, response_format=Advice)
    assert reply.choices[0].message.parsed == Advice(advice="Rest.")
    ours: Any = (reply.model_extra or {})["clinalign"]
    assert ours["red_flags"][0]["advice"] == DUTY  # beside the JSON, which it must not break
    assert fake.engine.asks[0].prompt.shape.schema_name == "Advice"


async def test_every_parameter_that_can_be_honoured_reaches_the_draft() -> None:
    fake = FakeDesk()
    async with openai_client(fake) as client:
        await client.chat.completions.create(
            model="clinalign",
            messages=MESSAGES,
            temperature=0.3,
            top_p=0.9,
            max_completion_tokens=77,
            seed=5,
            stop="END",
            presence_penalty=0.1,
            frequency_penalty=-0.1,
            tools=TOOLS,
            tool_choice={"type": "function", "function": {"name": "find_clinic"}},
            n=1,
            user="u",
            metadata={"a": "b"},
            store=False,
            logprobs=False,
            response_format={"type": "text"},
            extra_body={"clinalign": {"audience": "clinician", "options": {"max_revisions": 1}}},
        )
    draft = fake.engine.asks[0]
    sampling, shape = draft.sampling, draft.prompt.shape
    assert (sampling.temperature, sampling.top_p, sampling.max_tokens, sampling.seed) == (0.3, 0.9, 77, 5)
    assert (sampling.stop, sampling.presence_penalty, sampling.frequency_penalty) == (("END",), 0.1, -0.1)
    assert (shape.tools[0].name, shape.tool_choice) == ("find_clinic", "find_clinic")
    assert "The reader is a clinician." in draft.prompt.messages[-1].content


async def test_errors_are_the_clients_own_classes() -> None:
    keyed = Tenants(by_key={"0" * 64: Tenant("clinic")})
    async with openai_client(FakeDesk()) as client:
        with pytest.raises(openai.BadRequestError) as refused:
            await client.chat.completions.create(model="fake", messages=MESSAGES, logprobs=True)
        with pytest.raises(openai.NotFoundError) as unknown:
            await client.chat.completions.create(model="other", messages=MESSAGES)
    async with openai_client(FakeDesk(tenants=keyed)) as client:
        with pytest.raises(openai.AuthenticationError):
            await client.models.list()
    assert refused.value.param == "logprobs"
    assert "revision" in refused.value.message
    assert unknown.value.code == "model_not_found"


# docs/decisions/the-model-may-be-left-out.md
UNNAMED: dict[str, tuple[str, dict[str, Any], str]] = {
    "chat completions": ("/v1/chat/completions", COUGH, "fake"),
    "responses": ("/v1/responses", {"input": "A cough."}, "fake"),
    "completions": ("/v1/completions", {"prompt": "A cough."}, "fake"),
    "embeddings": ("/v1/embeddings", {"input": "A cough."}, "tiny"),
}


@pytest.mark.parametrize(("path", "body", "served"), UNNAMED.values(), ids=UNNAMED.keys())
async def test_who_names_no_model_gets_the_one_that_answers_and_who_names_another_a_404(
    path: str, body: dict[str, Any], served: str
) -> None:
    async with client_of(FakeDesk()) as client:
        replies = [await client.post(path, json={**body, **named}) for named in ({}, {"model": "default"})]
        other = await client.post(path, json={**body, "model": "gpt-4o"})
    assert [(reply.status_code, reply.json()["model"]) for reply in replies] == [(200, served)] * 2
    assert (other.status_code, other.json()["error"]["code"]) == (404, "model_not_found")


async def test_an_error_in_mid_stream_is_raised_by_the_client() -> None:
    class Wrecked:
        async def record(self, entry: Any) -> None:
            raise ZeroDivisionError

    async with openai_client(FakeDesk(ledger=Wrecked())) as client:
        stream = await client.chat.completions.create(model="fake", messages=MESSAGES, stream=True)
        with pytest.raises(openai.APIError, match="inside the gateway"):
            _ = [chunk async for chunk in stream]


async def test_the_model_is_listed_and_found() -> None:
    async with openai_client(FakeDesk()) as client:
        listed = await client.models.list()
        found = await client.models.retrieve("fake")
        with pytest.raises(openai.NotFoundError):
            await client.models.retrieve("gpt-4o")
    assert [model.id for model in listed.data] == [found.id] == ["fake"]
    assert (found.model_extra or {})["demonstration"] is False


async def test_the_api_key_may_come_as_azure_sends_it() -> None:
    keyed = Tenants(by_key={hashlib.sha256(b"secret").hexdigest(): Tenant("clinic")})
    async with client_of(FakeDesk(tenants=keyed)) as client:
        answers = [
            await client.post("/v1/chat/completions", json=COUGH, headers=headers)
            for headers in ({"api-key": "secret"}, {"authorization": "Bearer secret"}, {"api-key": "wrong"}, {})
        ]
    assert [answer.status_code for answer in answers] == [200, 200, 401, 401]
    assert answers[-1].headers["www-authenticate"] == "Bearer"
    assert isinstance(answers[0], httpx.Response)
