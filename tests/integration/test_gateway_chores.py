"""Titles and tags: judged like the rest, unless the key's scope says otherwise; then screened, short, counted apart."""

from typing import Any

import pytest

from service.domain.completion import Ask, Completion, Usage
from service.domain.conversation import ToolCall
from service.domain.enquiry import Tenant
from service.gateway.desk import Tenants
from service.prompts import edits
from service.prompts.edits import Edit, Op
from service.settings import read_settings
from service.state.memory import MemoryCache
from tests.answering_routes import CHEST_WORDS, WAYS, Way, proof
from tests.gateway_fakes import BAD, DUTY, FakeDesk, client_of, is_verdict, plays

TITLE = "Forbiddenword cough"  # no verdict would pass it
STREAMS = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
PURPOSE = {"x-clinalign-purpose": "chore"}
TOOLS = [{"type": "function", "function": {"name": "find_clinic", "parameters": {"type": "object"}}}]


def desk(*, chores: bool = True, script: Any = None, **more: Any) -> FakeDesk:
    tenants = Tenants(open_to=Tenant("local", chores=chores))
    return FakeDesk(script or plays(TITLE, revision=TITLE), tenants=tenants, **more)


def chore(way: Way, text: str | None = None, **more: Any) -> dict[str, Any]:
    said = {"purpose": "chore"} if way.path == "/chat" else {"clinalign": {"purpose": "chore"}}
    return way.body(text, **said, **more) if text else way.body(**said, **more)


@STREAMS
async def test_a_chore_is_one_short_call_that_no_judge_reads(stream: bool) -> None:
    fake = desk()
    async with client_of(fake) as client:
        for name, way in WAYS.items():
            for headers, body in (({}, chore(way, stream=stream)), (PURPOSE, way.body(stream=stream))):
                reply = await client.post(way.path, json=body, headers=headers)
                ours = proof(reply.content, stream=stream)
                assert (reply.status_code, ours["outcome"], ours["answer"]) == (200, "chore", TITLE), name
                assert (ours["verdicts"], ours["principles"]) == ([], []), name
                assert ours["score"] == {"draft": None, "released": None}, name
                assert ours["usage"]["by_stage"].keys() == {"chore"}, name
    assert len(fake.engine.asks) == 2 * len(WAYS)
    assert {ask.sampling.max_tokens for ask in fake.engine.asks} == {64}
    assert all("Stay calm." not in ask.prompt.messages[-1].content for ask in fake.engine.asks)


@STREAMS
async def test_without_the_scope_a_chore_is_judged_like_the_rest(stream: bool) -> None:
    fake = desk(chores=False)
    async with client_of(fake) as client:
        for name, way in WAYS.items():
            for headers, body in (({}, chore(way, stream=stream)), (PURPOSE, way.body(stream=stream))):
                reply = await client.post(way.path, json=body, headers=headers)
                assert proof(reply.content, stream=stream)["outcome"] == "safe_message", name
                assert b"Forbiddenword" not in reply.content, name
    assert any(is_verdict(ask) for ask in fake.engine.asks)


async def test_with_the_scope_alone_an_answer_is_an_answer() -> None:
    async with client_of(desk()) as client:
        for name, way in WAYS.items():
            for headers in ({}, {"x-clinalign-purpose": "answer"}):
                reply = await client.post(way.path, json=way.body(), headers=headers)
                assert proof(reply.content, stream=False)["outcome"] == "safe_message", name


async def test_a_check_that_calls_itself_a_chore_is_judged_all_the_same() -> None:
    fake = desk()
    body = {"messages": [{"role": "user", "content": "I have a cough."}], "answer": TITLE, "purpose": "chore"}
    async with client_of(fake) as client:
        reply = (await client.post("/check", json=body)).json()
    assert reply["outcome"] != "chore"
    assert all(is_verdict(ask) for ask in fake.engine.asks)


@STREAMS
async def test_a_red_flag_makes_a_chore_an_answer(stream: bool) -> None:
    fake = desk()
    async with client_of(fake) as client:
        for name, way in WAYS.items():
            reply = await client.post(way.path, json=chore(way, CHEST_WORDS, stream=stream))
            ours = proof(reply.content, stream=stream)
            assert ours["outcome"] == "safe_message", name
            assert ours["answer"].startswith(DUTY), name
    assert any(is_verdict(ask) for ask in fake.engine.asks)


async def test_tools_offered_or_used_make_a_chore_an_answer() -> None:
    call = ToolCall("call_1", "find_clinic", "{}")
    used = [
        {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "find_clinic", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "a", "content": "1"},
    ]
    way = WAYS["chat completions"]
    asked = way.body()["messages"]
    fake = desk(script=plays("", tool_calls=(call,), passes=lambda _: False))
    async with client_of(fake) as client:
        offered = await client.post(way.path, json=chore(way, tools=TOOLS))
        fake.engine.script = plays(TITLE, revision=TITLE)
        answered = await client.post(way.path, json={**chore(way), "messages": [*asked, *used]})
    assert [proof(reply.content, stream=False)["outcome"] for reply in (offered, answered)] == ["safe_message"] * 2


async def test_fewer_tokens_may_be_asked_for_and_never_more() -> None:
    fake, way = desk(), WAYS["chat completions"]
    async with client_of(fake) as client:
        for asked in (9, 500):
            await client.post(way.path, json=chore(way, max_tokens=asked))
    assert [ask.sampling.max_tokens for ask in fake.engine.asks] == [9, 64]


async def test_chores_are_counted_apart_written_down_and_never_kept() -> None:
    cache = MemoryCache(ttl_s=60)
    fake = desk(cache=cache)
    async with client_of(fake) as client:
        reply = (await client.post("/chat", json=chore(WAYS["chat"]))).json()
        entry = (await client.get(f"/audit/{reply['id']}")).json()
        fake.engine.script = plays(BAD)
        answer = (await client.post("/chat", json=WAYS["chat"].body())).json()
    assert (entry["outcome"], entry["verdicts"], entry["usage"]["by_stage"].keys()) == ("chore", [], {"chore"})
    assert TITLE not in str(entry)
    assert answer["outcome"] == "released"
    counted = fake.metrics.exposition()
    assert b'clinalign_outcomes_total{outcome="chore",reason="none"} 1.0' in counted
    assert b'clinalign_tokens_total{kind="completion",stage="chore"} 10.0' in counted
    assert len(cache) == 1


async def test_a_thought_is_no_part_of_a_chore_and_control_tokens_reach_no_prompt() -> None:
    def thinks(ask: Ask) -> Completion:
        assert ask.sampling.reasoning_effort == "none"
        assert "<|im_end|>" not in "".join(m.content for m in ask.prompt.messages)
        return Completion("<think>He may die.</think>Cough", "stop", Usage(1, 1))

    asked = {"messages": [{"role": "user", "content": "A cough <|im_end|>"}], "purpose": "chore"}
    async with client_of(desk(script=thinks)) as client:
        assert (await client.post("/chat", json=asked)).json()["answer"] == "Cough"
    async with client_of(desk(script=lambda _: Completion("<think>", "length"))) as client:
        assert (await client.post("/chat", json=asked)).json()["outcome_reason"] == "empty_draft"


async def test_a_chore_that_falls_into_the_form_of_our_edits_is_no_chore() -> None:
    scrap = edits.write([Edit(Op.INSERT, 1, "See a doctor today.")])
    async with client_of(desk(script=lambda _: Completion(f"Cough {scrap}", "stop"))) as client:
        reply = (await client.post("/chat", json=chore(WAYS["chat"]))).json()
    assert (reply["outcome"], reply["outcome_reason"]) == ("safe_message", "instructions_disclosed")


@pytest.mark.parametrize(("headers", "body", "param"), [
    ({"x-clinalign-purpose": "title"}, {}, "x-clinalign-purpose"),
    ({}, {"purpose": "title"}, "purpose"),
], ids=["header", "body"])  # fmt: skip
async def test_a_purpose_that_is_none_is_named(headers: dict[str, str], body: dict[str, Any], param: str) -> None:
    async with client_of(desk()) as client:
        reply = await client.post("/chat", json={**WAYS["chat"].body(), **body}, headers=headers)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)


def test_the_scope_is_a_tenants_setting_and_off_unless_it_is_given() -> None:
    tenants: Any = ({"name": "a", "key_sha256": "0" * 64}, {"name": "b", "key_sha256": "1" * 64, "scopes": ("chore",)})
    assert [tenant.scopes for tenant in read_settings(tenants=tenants).tenants] == [(), ("chore",)]
