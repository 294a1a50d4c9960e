"""POST /chat over real HTTP: the object, the events of a stream, and what policies, caches and ledgers make of it."""

import asyncio
from typing import Any

import pytest

from service.domain.completion import Ask, Completion
from service.domain.conversation import ToolCall
from service.domain.enquiry import FailurePolicy, Tenant
from service.domain.errors import EngineUnavailable, LedgerError
from service.gateway.desk import Limits, Tenants
from service.pipeline.ports import Abilities
from service.prompts import edits
from service.prompts.edits import Edit, Op
from service.state.memory import MemoryCache
from tests.fakes import FakeEngine, Script, hang
from tests.gateway_fakes import (
    BAD,
    CHEST,
    COUGH,
    DUTY,
    GOOD,
    FakeDesk,
    FakePrinciples,
    client_of,
    events,
    is_revision,
    is_verdict,
    plays,
)

KEYS = {
    "id", "created", "model", "answer", "outcome", "outcome_reason", "red_flags", "scenario", "principles", "verdicts",
    "revisions", "score", "usage", "timings_ms", "provenance",
}  # fmt: skip

EDITS = edits.write([Edit(Op.INSERT, 1, "See a doctor today.")])


def opened_to(policy: FailurePolicy = FailurePolicy.SAFE_MESSAGE, **more: Any) -> Tenants:
    return Tenants(open_to=Tenant("local", failure_policy=policy, **more))


async def broken(ask: Ask) -> Completion:
    raise EngineUnavailable("the engine answered 500")


def slow(seconds: float, script: Script) -> Script:
    async def play(ask: Ask) -> Completion:
        await asyncio.sleep(seconds)
        played = script(ask)
        assert isinstance(played, Completion)
        return played

    return play


async def test_an_answer_comes_with_its_proof() -> None:
    async with client_of(FakeDesk()) as client:
        reply = (await client.post("/chat", json=COUGH)).json()
    assert reply.keys() == KEYS
    assert (reply["answer"], reply["outcome"], reply["outcome_reason"]) == (GOOD, "released", None)
    assert {v["verdict"] for v in reply["verdicts"]} == {"met"}
    assert reply["usage"]["total_tokens"] == sum(s["total_tokens"] for s in reply["usage"]["by_stage"].values())
    assert reply["timings_ms"].keys() == {"screen", "retrieve", "draft", "judge", "revise", "total"}


async def test_a_draft_that_fails_leaves_only_as_the_revision_that_passed() -> None:
    async with client_of(FakeDesk(plays(BAD))) as client:
        response = await client.post("/chat", json=COUGH)
    reply = response.json()
    assert (reply["answer"], reply["outcome"], reply["score"]) == (GOOD, "released", {"draft": 0.0, "released": 1.0})
    assert [r["accepted"] for r in reply["revisions"]] == [False, True]
    assert "Forbiddenword" not in response.text


POLICIES = {
    "unmet, safe message": (plays(BAD, revision=BAD), FailurePolicy.SAFE_MESSAGE, "safe_message", "criteria_unmet"),
    "unmet, closed": (plays(BAD, revision=BAD), FailurePolicy.FAIL_CLOSED, "withheld", "criteria_unmet"),
    "unmet, flagged": (plays(BAD, revision=BAD), FailurePolicy.RELEASE_FLAGGED, "released_flagged", "criteria_unmet"),
    "engine down": (broken, FailurePolicy.SAFE_MESSAGE, "safe_message", "engine_failed"),
    "empty draft": (plays(" "), FailurePolicy.RELEASE_FLAGGED, "safe_message", "empty_draft"),
    "our own edits": (
        plays(f"{GOOD} {EDITS}"),
        FailurePolicy.RELEASE_FLAGGED,
        "safe_message",
        "instructions_disclosed",
    ),
    "too late": (hang, FailurePolicy.FAIL_CLOSED, "withheld", "deadline"),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("script", "policy", "outcome", "reason"), POLICIES.values(), ids=POLICIES.keys())
async def test_a_policy_outcome_is_a_200(
    script: Script, policy: FailurePolicy, outcome: str, reason: str, stream: bool
) -> None:
    async with client_of(FakeDesk(script, tenants=opened_to(policy))) as client:
        body = {**CHEST, "stream": stream, "options": {"deadline_ms": 200}}
        response = await client.post("/chat", json=body)
    reply = events(response.content)[-1][1] if stream else response.json()
    assert (response.status_code, reply["outcome"], reply["outcome_reason"]) == (200, outcome, reason)
    assert reply["answer"].startswith(DUTY)  # the red-flag duty stands under every policy
    assert EDITS not in response.text.replace("\\", "")


async def test_nothing_retrieved_is_a_policy_outcome_with_the_duty() -> None:
    async with client_of(FakeDesk(principles=FakePrinciples(broken=True))) as client:
        reply = (await client.post("/chat", json=CHEST)).json()
    assert (reply["outcome"], reply["outcome_reason"]) == ("safe_message", "nothing_retrieved")
    assert reply["answer"].startswith(DUTY)


async def test_a_stream_is_stages_then_the_released_text_then_the_whole_answer() -> None:
    async with client_of(FakeDesk(plays(BAD))) as client:
        response = await client.post("/chat", json={**COUGH, "stream": True})
        plain = (await client.post("/chat", json=COUGH)).json()
    told = events(response.content)
    assert response.headers["content-type"].startswith("text/event-stream")
    names = [name for name, _ in told]
    assert names == sorted(names, key=["stage", "delta", "answer"].index)
    assert [data["stage"] for name, data in told if name == "stage"][:3] == ["retrieve", "draft", "judge"]
    assert "".join(data["text"] for name, data in told if name == "delta") == GOOD == plain["answer"]
    answer = told[-1][1]
    assert (answer["answer"], answer["outcome"], answer["verdicts"]) == (
        plain["answer"],
        plain["outcome"],
        plain["verdicts"],
    )


@pytest.mark.parametrize(
    ("allowed", "asked", "shown"), [(True, True, True), (True, False, False), (False, True, False)]
)
async def test_a_provisional_draft_is_shown_only_where_tenant_and_request_both_say_so(
    allowed: bool, asked: bool, shown: bool
) -> None:
    fake = FakeDesk(plays(BAD), tenants=opened_to(provisional_drafts=allowed))
    async with client_of(fake) as client:
        response = await client.post("/chat", json={**COUGH, "stream": True, "provisional": asked})
    told = events(response.content)
    assert "".join(data["text"] for name, data in told if name == "provisional") == (BAD if shown else "")
    assert allowed or b"Forbiddenword" not in response.content


async def test_a_silent_stream_is_kept_alive_with_comments() -> None:
    fake = FakeDesk(slow(0.15, plays()), limits=Limits(keep_alive_s=0.03))
    async with client_of(fake) as client:
        response = await client.post("/chat", json={**COUGH, "stream": True})
    told = events(response.content)
    assert told.count((":", "checking")) >= 4
    assert told[-1][0] == "answer"


async def test_empty_deltas_keep_a_silent_stream_alive_where_comments_are_stumbled_over() -> None:
    fake = FakeDesk(slow(0.1, plays()), limits=Limits(keep_alive_s=0.02, empty_deltas=True))
    async with client_of(fake) as client:
        told = events((await client.post("/chat", json={**COUGH, "stream": True})).content)
    assert not [name for name, _ in told if name == ":"]
    assert [data for name, data in told if name == "delta"].count({"text": ""}) >= 3
    assert "".join(data["text"] for name, data in told if name == "delta") == GOOD


async def test_an_unforeseen_failure_in_mid_stream_is_an_error_event() -> None:
    class Wrecked:
        async def record(self, entry: Any) -> None:
            raise ZeroDivisionError("zqxwcanary")

    async with client_of(FakeDesk(ledger=Wrecked())) as client:
        response = await client.post("/chat", json={**COUGH, "stream": True})
        plain = await client.post("/chat", json=COUGH)
    name, data = events(response.content)[-1]
    assert (name, data["error"]["code"]) == ("error", "internal_error")
    assert (plain.status_code, plain.json()["error"]["code"]) == (500, "internal_error")
    assert "zqxwcanary" not in response.text + plain.text


async def test_a_repeat_is_given_from_the_cache_under_its_own_name_and_costs_nothing() -> None:
    fake = FakeDesk(cache=MemoryCache(ttl_s=60))
    async with client_of(fake) as client:
        first = (await client.post("/chat", json=COUGH)).json()
        asked = len(fake.engine.asks)
        again = (await client.post("/chat", json=COUGH)).json()
        other = (await client.post("/chat", json={**COUGH, "audience": "clinician"})).json()
        streamed = events((await client.post("/chat", json={**COUGH, "stream": True})).content)
        entry = (await client.get(f"/audit/{again['id']}")).json()
    assert (again["answer"], again["verdicts"]) == (first["answer"], first["verdicts"])
    assert again["id"] != first["id"]
    assert (again["usage"]["total_tokens"], entry["repeats"]) == (0, first["id"])
    assert other["usage"]["total_tokens"] > 0
    assert streamed[-1][1]["answer"] == first["answer"]
    assert len(fake.engine.asks) == 2 * asked


@pytest.mark.parametrize(
    "script",
    [plays(BAD, revision=BAD), plays(finish_reason="length"), plays("", tool_calls=(ToolCall("c", "f", "{}"),))],
    ids=["degraded", "cut short", "tool calls"],
)
async def test_only_a_whole_released_answer_is_kept(script: Script) -> None:
    fake = FakeDesk(script, cache=MemoryCache(ttl_s=60), tenants=opened_to(FailurePolicy.RELEASE_FLAGGED))
    body = {**COUGH, "tools": [{"type": "function", "function": {"name": "f"}}]}
    async with client_of(fake) as client:
        first = await client.post("/v1/chat/completions", json=body)
        asked = len(fake.engine.asks)
        await client.post("/v1/chat/completions", json=body)
    assert first.json()["clinalign"]["outcome"].startswith("released")
    assert len(fake.engine.asks) == 2 * asked


async def test_the_ledger_holds_what_was_decided_and_no_text() -> None:
    fake = FakeDesk(plays(BAD))
    async with client_of(fake) as client:
        reply = (await client.post("/chat", json=CHEST)).json()
        response = await client.get(f"/audit/{reply['id']}")
    entry = response.json()
    assert (entry["id"], entry["tenant"], entry["outcome"]) == (reply["id"], "local", "released")
    assert [v["verdict"] for v in entry["verdicts"]] == [v["verdict"] for v in reply["verdicts"]]
    assert entry["provenance"]["prompts_digest"] == reply["provenance"]["prompts_digest"]
    assert not any(word in response.text for word in ("chest", "Rest", "Forbiddenword", "ambulance"))


async def test_an_answer_that_cannot_be_written_down_does_not_leave() -> None:
    class FullDisk:
        async def record(self, entry: Any) -> None:
            raise LedgerError("the ledger cannot be written")

    async with client_of(FakeDesk(ledger=FullDisk())) as client:
        response = await client.post("/chat", json=COUGH)
        streamed = await client.post("/chat", json={**COUGH, "stream": True})
    assert (response.status_code, response.json()["error"]["code"]) == (503, "ledger_unusable")
    assert GOOD not in response.text
    assert [name for name, _ in events(streamed.content)][-1] == "error"
    assert b"delta" not in streamed.content


async def test_options_reach_the_pipeline() -> None:
    fake = FakeDesk(plays(BAD, revision=BAD))
    async with client_of(fake) as client:
        body = {**COUGH, "options": {"max_revisions": 1, "max_criteria": 1, "revision_style": "rewrite"}}
        reply = (await client.post("/chat", json=body)).json()
    assert [r["style"] for r in reply["revisions"]] == ["rewrite"]
    assert len(reply["verdicts"]) == 1
    assert sum(is_revision(ask) for ask in fake.engine.asks) == 1
    assert any(is_verdict(ask) for ask in fake.engine.asks)


class Unreached(FakeEngine):
    """A model's server that nobody has spoken to yet."""

    @property
    def abilities(self) -> Abilities:
        raise EngineUnavailable("not yet")

    @abilities.setter
    def abilities(self, _: Abilities) -> None:
        pass


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["/chat", "/v1/chat/completions"])
async def test_before_the_model_is_reached_the_duty_leaves_and_nothing_is_a_5xx(path: str, stream: bool) -> None:
    fake = FakeDesk(cache=MemoryCache(ttl_s=60))
    fake.engine = Unreached(hang)
    named = {"model": "some-model"} if path.startswith("/v1") else {}
    async with client_of(fake) as client:
        response = await client.post(path, json={**CHEST, **named, "stream": stream})
    assert response.status_code == 200
    assert DUTY.split()[0] in response.text
    assert '"outcome":"safe_message"' in response.text


async def test_an_answer_to_part_of_a_conversation_is_kept_for_the_whole_of_it() -> None:
    fake = FakeDesk(cache=MemoryCache(ttl_s=60))
    turns = [{"role": "user", "content": f"{n} " + "I have had a cough. " * 180} for n in range(5)]
    async with client_of(fake) as client:
        first = (await client.post("/chat", json={"messages": turns})).json()
        again = (await client.post("/chat", json={"messages": turns})).json()
        part = (await client.post("/chat", json={"messages": turns[-2:]})).json()
    assert "conversation_truncated" in first["provenance"]["notices"]
    assert again["usage"]["total_tokens"] == 0
    assert part["usage"]["total_tokens"] > 0
