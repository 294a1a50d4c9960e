"""POST /v1/completions as OpenAI's own client asks: a prompt is a user's turn, and nothing leaves unjudged."""

from typing import Any

import openai
import pytest

from service.domain.enquiry import FailurePolicy, Tenant
from service.gateway.desk import Limits, Tenants
from tests.fakes import hang
from tests.gateway_fakes import BAD, CHEST, DUTY, GOOD, FakeDesk, client_of, events, plays
from tests.integration.test_gateway_chat import slow
from tests.integration.test_gateway_openai import openai_client

PATH = "/v1/completions"
PROMPT = "I have had a cough for three days."


async def test_a_prompt_is_drafted_judged_and_revised_as_a_users_turn() -> None:
    fake = FakeDesk(plays(BAD))
    async with openai_client(fake) as client:
        reply = await client.completions.create(
            model="fake", prompt=[PROMPT], max_tokens=9, temperature=0.2, seed=3, stop="END"
        )
    assert (reply.choices[0].text, reply.choices[0].finish_reason) == (GOOD, "stop")
    assert (reply.object, reply.id[:5]) == ("text_completion", "cmpl-")
    assert reply.usage is not None
    ours: Any = (reply.model_extra or {})["clinalign"]
    assert ours["usage"]["total_tokens"] == reply.usage.total_tokens
    draft = fake.engine.asks[0]
    assert draft.prompt.messages[-1].content.startswith(PROMPT)
    assert (draft.sampling.max_tokens, draft.sampling.seed, draft.sampling.stop) == (9, 3, ("END",))


async def test_a_stream_carries_the_released_text_and_usage_if_asked_for() -> None:
    async with openai_client(FakeDesk(plays(BAD))) as client:
        stream = await client.completions.create(
            model="fake", prompt=PROMPT, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
    assert "".join(c.choices[0].text for c in chunks if c.choices) == GOOD
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    assert (chunks[-1].choices, chunks[-1].usage is not None) == ([], True)


async def test_a_stream_is_kept_alive_and_ends_with_done() -> None:
    fake = FakeDesk(slow(0.1, plays()), limits=Limits(keep_alive_s=0.02))
    async with client_of(fake) as client:
        told = events((await client.post(PATH, json={"prompt": PROMPT, "stream": True})).content)
    assert told[0][1]["choices"][0]["text"] == ""
    assert (":", "checking") in told
    assert told[-1] == ("", "[DONE]")


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_what_does_not_pass_is_a_content_filter(stream: bool) -> None:
    tenants = Tenants(open_to=Tenant("local", failure_policy=FailurePolicy.FAIL_CLOSED))
    async with client_of(FakeDesk(plays(BAD, revision=BAD), tenants=tenants)) as client:
        reply = await client.post(PATH, json={"prompt": PROMPT, "stream": stream})
    assert b"Forbiddenword" not in reply.content
    assert b'"finish_reason":"content_filter"' in reply.content


async def test_red_flags_of_a_prompt_are_answered_with_the_duty() -> None:
    async with openai_client(FakeDesk()) as client:
        reply = await client.completions.create(model="fake", prompt=CHEST["messages"][0]["content"])
    assert reply.choices[0].text.startswith(DUTY)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no prompt": ({}, "prompt"),
    "blank": ({"prompt": " "}, "prompt"),
    "several": ({"prompt": ["a", "b"]}, "prompt"),
    "none of several": ({"prompt": []}, "prompt"),
    "tokens": ({"prompt": [1, 2]}, "prompt"),
    "echo": ({"prompt": "a", "echo": True}, "echo"),
    "best of two": ({"prompt": "a", "best_of": 2}, "best_of"),
    "logprobs": ({"prompt": "a", "logprobs": 5}, "logprobs"),
    "suffix": ({"prompt": "a", "suffix": "z"}, "suffix"),
    "two answers": ({"prompt": "a", "n": 2}, "n"),
    "stream options without a stream": ({"prompt": "a", "stream_options": {}}, "stream_options"),
    "messages": ({"prompt": "a", "messages": []}, "messages"),
}


@pytest.mark.parametrize(("body", "param"), WRONG.values(), ids=WRONG.keys())
async def test_what_cannot_be_honoured_is_refused_by_name(body: dict[str, Any], param: str) -> None:
    fake = FakeDesk(hang)
    async with client_of(fake) as client:
        reply = await client.post(PATH, json=body)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)
    assert fake.engine.asks == []


async def test_openais_defaults_say_nothing_and_pass() -> None:
    body = {"prompt": "a", "echo": False, "best_of": 1, "logprobs": None, "suffix": None, "n": 1, "logit_bias": {}}
    async with client_of(FakeDesk()) as client:
        assert (await client.post(PATH, json=body)).status_code == 200


async def test_another_model_is_not_found() -> None:
    async with openai_client(FakeDesk()) as client:
        with pytest.raises(openai.NotFoundError):
            await client.completions.create(model="davinci-002", prompt=PROMPT)


async def test_an_answers_ledger_entry_is_found_by_openais_forms_of_its_id() -> None:
    async with client_of(FakeDesk()) as client:
        reply = (await client.post(PATH, json={"prompt": PROMPT})).json()
        found = (await client.get(f"/audit/{reply['id']}")).json()
    assert found["id"] == reply["clinalign"]["id"]
