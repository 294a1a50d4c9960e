"""Who gets in, how many at once, and what the rest are told; and that a client that hangs up ends its work."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from service.domain.completion import Ask, Completion
from service.domain.enquiry import Tenant
from service.gateway.desk import Limits, Tenants
from tests.fakes import Script, hang
from tests.gateway_fakes import BAD, COUGH, FakeDesk, client_of, events, is_revision, is_verdict, plays

ROUTES = ("/chat", "/v1/chat/completions")


async def eventually(holds: Callable[[], bool], *, within_s: float = 10.0) -> None:
    async with asyncio.timeout(within_s):
        while not holds():
            await asyncio.sleep(0.005)


def hangs_at(stage: Callable[[Ask], bool]) -> Script:
    """A model that fails its draft's verdicts, and never answers at this stage."""
    otherwise = plays(BAD, revision=BAD)

    async def play(ask: Ask) -> Completion:
        if stage(ask):
            return await hang(ask)
        played = otherwise(ask)
        assert isinstance(played, Completion)
        return played

    return play


STAGES: dict[str, Callable[[Ask], bool]] = {
    "draft": lambda ask: not is_verdict(ask) and not is_revision(ask),
    "judge": is_verdict,
    "revise": is_revision,
}


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES.keys())
async def test_a_client_that_hangs_up_ends_every_model_call_within_a_second(
    stage: Callable[[Ask], bool], stream: bool, path: str
) -> None:
    fake = FakeDesk(hangs_at(stage))
    async with client_of(fake) as client:
        asking = asyncio.create_task(client.post(path, json={**COUGH, "stream": stream}))
        await eventually(lambda: any(stage(ask) for ask in fake.engine.asks) and fake.engine.running > 0)
        asking.cancel()
        await asyncio.wait({asking})
        began = time.monotonic()
        await eventually(lambda: fake.engine.running == 0)
        assert time.monotonic() - began < 1
        assert fake.engine.cancelled > 0
        await eventually(lambda: b'status="499"' in fake.metrics.exposition())
        assert b"clinalign_running 0.0" in fake.metrics.exposition()


OTHER_WAYS = {
    "completions": ("/v1/completions", {"prompt": "A cough."}, {}),
    "responses": ("/v1/responses", {"input": "A cough."}, {}),
    "azure": ("/openai/deployments/fake/chat/completions?api-version=1", COUGH, {}),
    "with a key": ("/v1/chat/completions", COUGH, {"idempotency-key": "one"}),
}


@pytest.mark.parametrize(("path", "body", "headers"), OTHER_WAYS.values(), ids=OTHER_WAYS.keys())
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES.keys())
async def test_so_it_is_on_every_other_way_to_ask(
    stage: Callable[[Ask], bool], stream: bool, path: str, body: dict[str, Any], headers: dict[str, str]
) -> None:
    fake = FakeDesk(hangs_at(stage))
    async with client_of(fake) as client:
        asking = asyncio.create_task(client.post(path, json={**body, "stream": stream}, headers=headers))
        await eventually(lambda: any(stage(ask) for ask in fake.engine.asks) and fake.engine.running > 0)
        asking.cancel()
        await asyncio.wait({asking})
        began = time.monotonic()
        await eventually(lambda: fake.engine.running == 0)
        assert time.monotonic() - began < 1
        assert fake.engine.cancelled > 0


async def test_many_clients_that_hang_up_at_once_leave_nothing_running() -> None:
    fake = FakeDesk(hangs_at(is_verdict))
    async with client_of(fake) as client:
        bodies = [{**COUGH, "stream": bool(n % 2)} for n in range(40)]
        asking = [asyncio.create_task(client.post("/chat", json=body)) for body in bodies]
        await eventually(lambda: fake.engine.running == 80, within_s=10)
        for task in asking:
            task.cancel()
        await asyncio.wait(asking)
        await eventually(lambda: fake.engine.running == 0)


async def test_a_checked_batch_ends_with_its_client() -> None:
    fake = FakeDesk(hangs_at(is_verdict))
    async with client_of(fake) as client:
        items = [{**COUGH, "answer": "Rest."}] * 10
        asking = asyncio.create_task(client.post("/check", json={"items": items}))
        await eventually(lambda: fake.engine.running > 0)
        asking.cancel()
        await asyncio.wait({asking})
        await eventually(lambda: fake.engine.running == 0)


async def test_a_tenant_beyond_its_quota_is_told_when_to_come_again() -> None:
    fake = FakeDesk(tenants=Tenants(open_to=Tenant("local", requests_per_minute=2)))
    async with client_of(fake) as client:
        replies = [await client.post(path, json=COUGH) for path in (*ROUTES, *ROUTES)]
        streamed = await client.post("/chat", json={**COUGH, "stream": True})
    assert [reply.status_code for reply in replies] == [200, 200, 429, 429]
    for refused in (*replies[2:], streamed):
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert refused.json()["error"]["code"] == "rate_limit_exceeded"


async def filled(client: httpx.AsyncClient, fake: FakeDesk, count: int) -> list[asyncio.Task[httpx.Response]]:
    tasks = [asyncio.create_task(client.post("/chat", json=COUGH)) for _ in range(count)]
    await eventually(lambda: fake.engine.running == 1)
    await eventually(lambda: b"clinalign_waiting 1.0" in fake.metrics.exposition())
    return tasks


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_a_full_gateway_refuses_with_a_503_that_says_when_to_come_again(stream: bool) -> None:
    fake = FakeDesk(hang, limits=Limits(max_running=1, max_queued=1))
    async with client_of(fake) as client:
        tasks = await filled(client, fake, 2)
        for path in ROUTES:
            refused = await client.post(path, json={**COUGH, "stream": stream})
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "overloaded")
            assert int(refused.headers["retry-after"]) >= 1
        assert (await client.get("/healthz")).status_code == 200
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def test_room_that_a_client_gives_up_is_anothers() -> None:
    fake = FakeDesk(hang, limits=Limits(max_running=1, max_queued=1))
    async with client_of(fake) as client:
        tasks = await filled(client, fake, 2)
        fake.engine.script = plays()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await eventually(lambda: fake.engine.running == 0)
        assert (await client.post("/chat", json=COUGH)).status_code == 200


async def test_a_request_that_waits_is_answered_when_there_is_room() -> None:
    held = asyncio.Event()
    otherwise = plays()

    async def waits(ask: Ask) -> Completion:
        await held.wait()
        played: Any = otherwise(ask)
        return played if isinstance(played, Completion) else await _unexpected(played)

    fake = FakeDesk(waits, limits=Limits(max_running=1, max_queued=1))
    async with client_of(fake) as client:
        tasks = await filled(client, fake, 2)
        held.set()
        assert [(await task).json()["outcome"] for task in tasks] == ["released", "released"]


async def test_a_deadline_that_passes_in_the_queue_is_the_tenants_policy_and_no_error() -> None:
    fake = FakeDesk(hang, limits=Limits(max_running=1, max_queued=1))
    async with client_of(fake) as client:
        first = asyncio.create_task(client.post("/chat", json=COUGH))
        await eventually(lambda: fake.engine.running == 1)
        second = await client.post("/chat", json={**COUGH, "options": {"deadline_ms": 50}})
        first.cancel()
        await asyncio.wait({first})
    assert (second.status_code, second.json()["outcome_reason"]) == (200, "deadline")


async def test_a_stream_that_waits_in_the_queue_is_kept_alive() -> None:
    fake = FakeDesk(hang, limits=Limits(max_running=1, max_queued=1, keep_alive_s=0.02))
    async with client_of(fake) as client:
        first = asyncio.create_task(client.post("/chat", json=COUGH))
        await eventually(lambda: fake.engine.running == 1)
        body = {**COUGH, "stream": True, "clinalign": {"options": {"deadline_ms": 200}}}
        told = events((await client.post("/v1/chat/completions", json=body)).content)
        first.cancel()
        await asyncio.wait({first})
    assert told[0][1]["choices"][0]["delta"]["role"] == "assistant"
    assert told.count((":", "checking")) >= 3
    assert told[-1] == ("", "[DONE]")


async def test_a_stream_that_waits_in_the_queue_says_at_once_that_it_was_heard() -> None:
    fake = FakeDesk(hang, limits=Limits(max_running=1, max_queued=1, keep_alive_s=30))
    async with client_of(fake) as client, asyncio.timeout(8):
        first = asyncio.create_task(client.post("/chat", json=COUGH))
        await eventually(lambda: fake.engine.running == 1)
        async with client.stream("POST", "/v1/chat/completions", json={**COUGH, "stream": True}) as second:
            assert b'"role":"assistant"' in await anext(second.aiter_bytes())
        first.cancel()
        await asyncio.wait({first})


async def test_items_of_a_batch_are_counted_and_refused_one_by_one() -> None:
    fake = FakeDesk(tenants=Tenants(open_to=Tenant("local", requests_per_minute=3)))
    async with client_of(fake) as client:
        reply = (await client.post("/check", json={"items": [{**COUGH, "answer": "Rest."}] * 5})).json()
    outcomes = [item.get("outcome") or item["error"]["code"] for item in reply["items"]]
    assert sorted(outcomes) == ["rate_limit_exceeded"] * 2 + ["released"] * 3


def keyed(**keys: Tenant) -> Tenants:
    return Tenants(by_key={hashlib.sha256(key.encode()).hexdigest(): tenant for key, tenant in keys.items()})


@pytest.mark.parametrize("path", ["/chat", "/screen", "/check", "/v1/models", "/principles", "/audit/x", "/nothing"])
async def test_no_key_no_entry(path: str) -> None:
    async with client_of(FakeDesk(tenants=keyed(secret=Tenant("clinic")))) as client:
        reply = await client.post(path, json=COUGH)
    assert (reply.status_code, reply.json()["error"]["type"]) == (401, "authentication_error")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/openapi.json"])
async def test_probes_need_no_key(path: str) -> None:
    async with client_of(FakeDesk(tenants=keyed(secret=Tenant("clinic")))) as client:
        assert (await client.get(path)).status_code == 200


async def test_an_answer_is_shown_in_the_ledger_to_its_own_tenant_alone() -> None:
    tenants = keyed(one=Tenant("clinic-one"), two=Tenant("clinic-two"))
    async with client_of(FakeDesk(tenants=tenants)) as client:
        entry = (await client.post("/chat", json=COUGH, headers={"api-key": "one"})).json()["id"]
        statuses = [
            (await client.get(f"/audit/{entry}", headers={"api-key": key})).status_code for key in ("one", "two")
        ]
        by_completion = await client.get(f"/audit/{entry.replace('chat_', 'chatcmpl-')}", headers={"api-key": "one"})
    assert statuses == [200, 404]
    assert by_completion.json()["id"] == entry


async def _unexpected(_: Awaitable[Any]) -> Completion:
    raise AssertionError
