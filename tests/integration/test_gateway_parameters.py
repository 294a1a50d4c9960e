"""What callers choose of an answer beyond its text: thinking, schemas that an engine refuses, signs of life."""

from dataclasses import replace
from typing import Any

import openai
import pytest

from service.domain.completion import Ask, Completion
from service.domain.errors import EngineRefused
from service.gateway.desk import Limits
from tests.fakes import ABILITIES
from tests.gateway_fakes import CHEST, COUGH, DUTY, GOOD, FakeDesk, client_of, events, is_revision, is_verdict, plays
from tests.integration.test_gateway_chat import slow
from tests.integration.test_gateway_openai import MESSAGES, openai_client

SCHEMA = {"type": "json_schema", "json_schema": {"name": "odd", "schema": {"type": "bogus"}}}


async def test_the_draft_alone_thinks_as_long_as_it_is_told_to() -> None:
    fake = FakeDesk(plays("Forbiddenword"))
    fake.engine.abilities = replace(ABILITIES, reasoning=True)
    async with openai_client(fake) as client:
        chat = await client.chat.completions.create(model="fake", messages=MESSAGES, reasoning_effort="low")
        await client.responses.create(model="fake", input="A cough.", reasoning={"effort": "high"})
    assert chat.choices[0].message.content == GOOD
    drafts = [ask for ask in fake.engine.asks if not is_verdict(ask) and not is_revision(ask)]
    others = [ask for ask in fake.engine.asks if is_verdict(ask) or is_revision(ask)]
    assert [ask.sampling.reasoning_effort for ask in drafts] == ["low", "high"]
    assert {ask.sampling.reasoning_effort for ask in others} == {None}


async def test_a_model_that_does_not_think_says_so() -> None:
    async with openai_client(FakeDesk()) as client:
        with pytest.raises(openai.BadRequestError, match="does not think first") as refused:
            await client.chat.completions.create(model="fake", messages=MESSAGES, reasoning_effort="low")
        assert (await client.chat.completions.create(model="fake", messages=MESSAGES, reasoning_effort="none")).id
    assert refused.value.param == "reasoning_effort"


def refuses(ask: Ask) -> Completion:
    if ask.prompt.shape.schema and "bogus" in ask.prompt.shape.schema:
        raise EngineRefused("the engine answered 400", status=400)
    played: Any = plays()(ask)
    return Completion(**{name: getattr(played, name) for name in Completion.__slots__})


async def test_a_schema_that_the_engine_refuses_is_a_400_that_names_it() -> None:
    async with client_of(FakeDesk(refuses)) as client:
        plain = await client.post("/v1/chat/completions", json={**COUGH, "response_format": SCHEMA})
        stream = await client.post("/v1/chat/completions", json={**COUGH, "response_format": SCHEMA, "stream": True})
    assert (plain.status_code, plain.json()["error"]["param"]) == (400, "response_format")
    assert events(stream.content)[-1][1]["error"]["param"] == "response_format"


async def test_who_is_in_danger_is_answered_whatever_the_schema() -> None:
    async with client_of(FakeDesk(refuses)) as client:
        reply = await client.post("/v1/chat/completions", json={**CHEST, "response_format": SCHEMA})
    assert (reply.status_code, reply.json()["choices"][0]["finish_reason"]) == (200, "content_filter")
    assert DUTY in reply.text


async def test_a_request_that_is_refused_with_or_without_its_schema_is_the_tenants_policy() -> None:
    def always(_: Ask) -> Completion:
        raise EngineRefused("the engine answered 400", status=400)

    async with client_of(FakeDesk(always)) as client:
        reply = await client.post("/v1/chat/completions", json={**COUGH, "response_format": SCHEMA})
    assert (reply.status_code, reply.json()["clinalign"]["outcome_reason"]) == (200, "engine_failed")


ADVICE = {"type": "object", "properties": {"advice": {"type": "string"}}, "required": ["advice"]}
ADVISED = '{"advice":"Rest."}'
IN_CHAT = {**COUGH, "response_format": {"type": "json_schema", "json_schema": {"name": "advice", "schema": ADVICE}}}
IN_ITEMS = {
    "input": "A cough.",
    "text": {"format": {"type": "json_schema", "name": "advice", "schema": ADVICE}},
}


@pytest.mark.parametrize("again", [ADVISED, "Sorry."], ids=["mended", "prose once more"])
async def test_json_that_breaks_the_schema_asked_for_never_leaves_as_if_it_were_fine(again: str) -> None:
    mended = again == ADVISED
    outcome = ("released", None) if mended else ("safe_message", "schema_unmet")
    async with client_of(FakeDesk(plays("Rest.", revision=again))) as client:
        plain = (await client.post("/v1/chat/completions", json=IN_CHAT)).json()
        stream = events((await client.post("/v1/chat/completions", json={**IN_CHAT, "stream": True})).content)
        items = (await client.post("/v1/responses", json=IN_ITEMS)).json()
    proofs = [plain["clinalign"], stream[-2][1]["clinalign"], items["clinalign"]]
    assert [(proof["outcome"], proof["outcome_reason"]) for proof in proofs] == [outcome] * 3
    assert {proof["answer"] == ADVISED for proof in proofs} == {mended}
    assert plain["choices"][0]["finish_reason"] == ("stop" if mended else "content_filter")
    assert items["status"] == ("completed" if mended else "incomplete")


WAYS = {
    "chat completions": ("/v1/chat/completions", COUGH),
    "completions": ("/v1/completions", {"prompt": "A cough."}),
    "responses": ("/v1/responses", {"input": "A cough."}),
}


@pytest.mark.parametrize(("path", "body"), WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize("empty_deltas", [False, True], ids=["comments", "empty deltas"])
async def test_a_waiting_stream_is_kept_alive_in_the_style_that_is_set(
    path: str, body: dict[str, Any], empty_deltas: bool
) -> None:
    fake = FakeDesk(slow(0.1, plays()), limits=Limits(keep_alive_s=0.02, empty_deltas=empty_deltas))
    async with client_of(fake) as client:
        told = events((await client.post(path, json={**body, "stream": True})).content)
    comments = [event for event in told if event[0] == ":"]
    waited = [data for _, data in told if isinstance(data, dict) and _says_nothing(data)]
    assert (len(comments) == 0, len(waited) >= 4) == (empty_deltas, empty_deltas)


def _says_nothing(data: dict[str, Any]) -> bool:
    if data.get("type") == "response.in_progress":
        return True
    choices = data.get("choices") or [{}]
    return "" in (choices[0].get("text"), choices[0].get("delta", {}).get("content"))


async def test_who_asks_is_written_down_as_a_keyed_hash_and_in_no_other_way() -> None:
    bodies: dict[str, dict[str, Any]] = {
        "/v1/chat/completions": {**COUGH, "user": "anna", "safety_identifier": "p-17"},
        "/v1/responses": {"input": "A cough.", "safety_identifier": "p-17"},
        "/v1/completions": {"prompt": "A cough.", "user": "p-17"},
        "/chat": COUGH,
    }
    async with client_of(FakeDesk()) as client:
        entries = []
        for path, body in bodies.items():
            reply = (await client.post(path, json=body)).json()
            entries.append((await client.get(f"/audit/{reply['id']}")).json())
    hashes = [entry["user_hmac"] for entry in entries]
    assert len(set(hashes[:3])) == 1
    assert (len(hashes[0]), hashes[3]) == (64, None)
    assert "p-17" not in str(entries)
    assert "anna" not in str(entries)


async def test_a_response_that_is_to_be_read_whole_is_refused_rather_than_shortened() -> None:
    turns = [{"role": role, "content": "word " * 200} for role in ("user", "assistant") * 40]
    body = {"input": [*turns, {"role": "user", "content": "A cough."}]}
    async with client_of(FakeDesk()) as client:
        whole = await client.post("/v1/responses", json={**body, "truncation": "disabled"})
        cut = (await client.post("/v1/responses", json={**body, "truncation": "auto"})).json()
    error = whole.json()["error"]
    assert (whole.status_code, error["code"], error["param"]) == (400, "context_length_exceeded", "input")
    assert (cut["truncation"], "conversation_truncated" in cut["clinalign"]["provenance"]["notices"]) == ("auto", True)
