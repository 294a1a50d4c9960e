"""The same request sent again: one answer, one piece of work, and nobody else's."""

import asyncio
import gc
import hashlib
from typing import Any

import httpx
import pytest

from service.audit.ledger import MemoryLedger
from service.domain.completion import Ask, Completion
from service.domain.enquiry import Tenant
from service.domain.errors import EngineUnavailable, LedgerError
from service.gateway.desk import Limits, Tenants
from service.observability.metrics import Metrics
from service.state.link import Link
from service.state.repeats import MemoryRepeats, RedisRepeats
from tests.fakes import hang
from tests.gateway_fakes import BAD, COUGH, GOOD, FakeDesk, client_of, events, is_verdict, plays
from tests.integration.test_gateway_admission import eventually
from tests.integration.test_gateway_chat import slow

CHECK = {**COUGH, "answer": BAD, "revise": True}
BODIES: list[tuple[str, dict[str, Any]]] = [
    ("/chat", COUGH),
    ("/chat", {**COUGH, "stream": True}),
    ("/v1/chat/completions", COUGH),
    ("/v1/chat/completions", {**COUGH, "stream": True}),
    ("/check", CHECK),
    ("/check", {"items": [CHECK, CHECK]}),
]
KEY = {"idempotency-key": "one"}


def said(response: httpx.Response) -> bytes:
    """The bytes without what kept the stream alive."""
    return b"".join(block + b"\n\n" for block in response.content.split(b"\n\n") if not block.startswith(b":"))


@pytest.mark.parametrize(("path", "body"), BODIES)
async def test_a_repeated_request_gets_the_same_answer_and_no_more_work(path: str, body: dict[str, Any]) -> None:
    fake = FakeDesk(plays(BAD), tenants=Tenants(open_to=Tenant("local", requests_per_minute=2)))
    async with client_of(fake) as client:
        first = await client.post(path, json=body, headers=KEY)
        calls = len(fake.engine.asks)
        again = [await client.post(path, json=body, headers=KEY) for _ in range(3)]
    assert calls > 0
    assert len(fake.engine.asks) == calls
    assert {said(one) for one in again} == {said(first)}
    assert {(one.status_code, one.headers["idempotent-replayed"]) for one in again} == {(200, "true")}
    assert again[0].headers["content-type"] == first.headers["content-type"]
    assert again[0].headers["x-request-id"] != first.headers["x-request-id"]
    counted = f'clinalign_requests_total{{route="{path}",status="200"}} 4.0'.encode()
    await eventually(lambda: counted in fake.metrics.exposition())


@pytest.mark.parametrize(("path", "body"), BODIES)
async def test_at_once_they_share_one_piece_of_work(path: str, body: dict[str, Any]) -> None:
    alone, shared = FakeDesk(plays(BAD)), FakeDesk(slow(0.02, plays(BAD)))
    async with client_of(alone) as client:
        await client.post(path, json=body)
    async with client_of(shared) as client:
        replies = await asyncio.gather(*(client.post(path, json=body, headers=KEY) for _ in range(10)))
    assert len({reply.content for reply in replies}) == 1
    assert len(shared.engine.asks) == len(alone.engine.asks)


async def test_a_stream_is_told_from_its_beginning_to_one_who_comes_late() -> None:
    fake = FakeDesk(slow(0.3, plays()), limits=Limits(keep_alive_s=0.02))
    body = {**COUGH, "stream": True}
    async with client_of(fake) as client:
        first = asyncio.create_task(client.post("/v1/chat/completions", json=body, headers=KEY))
        await asyncio.sleep(0.2)
        late = events((await client.post("/v1/chat/completions", json=body, headers=KEY)).content)
        told = events((await first).content)
        after = events((await client.post("/v1/chat/completions", json=body, headers=KEY)).content)
    assert late == told
    assert (":", "checking") in told
    assert after == [event for event in told if event[0] != ":"]


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_work_ends_only_when_the_last_who_waits_has_left(stream: bool) -> None:
    fake = FakeDesk(hang)
    async with client_of(fake) as client:
        body = {**COUGH, "stream": stream}
        waiting = [asyncio.create_task(client.post("/chat", json=body, headers=KEY)) for _ in range(3)]
        await eventually(lambda: fake.engine.running == 1)
        await asyncio.sleep(0.1)
        for task in waiting[:2]:
            task.cancel()
        await asyncio.wait(waiting[:2])
        await asyncio.sleep(0.1)
        assert (fake.engine.running, fake.engine.cancelled) == (1, 0)
        waiting[2].cancel()
        await eventually(lambda: fake.engine.running == 0)
        fake.engine.script = plays()
        assert (await client.post("/chat", json=COUGH | {"stream": False}, headers={"idempotency-key": "b"})).is_success
        assert (await client.post("/chat", json=body, headers=KEY)).is_success  # nothing is left of what was given up


@pytest.mark.parametrize("path", ["/chat", "/v1/chat/completions"])
async def test_the_same_key_with_another_request_is_a_conflict(path: str) -> None:
    fake = FakeDesk()
    async with client_of(fake) as client:
        await client.post("/chat", json={**COUGH, "audience": "patient"}, headers=KEY)
        refused = await client.post(path, json=COUGH, headers=KEY)
        fake.engine.script = hang
        running = asyncio.create_task(client.post(path, json=COUGH, headers={"idempotency-key": "two"}))
        await eventually(lambda: fake.engine.running == 1)
        meanwhile = await client.post(path, json={**COUGH, "stream": True}, headers={"idempotency-key": "two"})
        running.cancel()
    for reply in (refused, meanwhile):
        assert (reply.status_code, reply.json()["error"]["param"]) == (409, "Idempotency-Key")


async def test_a_key_belongs_to_its_tenant() -> None:
    keys = {hashlib.sha256(name.encode()).hexdigest(): Tenant(name) for name in ("one", "two")}
    async with client_of(FakeDesk(tenants=Tenants(by_key=keys))) as client:
        replies = [
            await client.post("/chat", json={**COUGH, "audience": audience}, headers={**KEY, "api-key": name})
            for name, audience in (("one", "patient"), ("two", "clinician"), ("one", "patient"))
        ]
    assert [reply.status_code for reply in replies] == [200, 200, 200]
    first, other, again = (reply.json()["id"] for reply in replies)
    assert first == again != other


@pytest.mark.parametrize("key", ["", "two words", "k" * 256, "\u00e9".encode("latin-1")])
async def test_a_key_that_cannot_be_one_is_refused(key: Any) -> None:
    async with client_of(FakeDesk()) as client:
        reply = await client.post("/chat", json=COUGH, headers={"idempotency-key": key})
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, "Idempotency-Key")


async def test_a_degraded_answer_is_repeated_to_the_same_request_and_to_no_other() -> None:
    async def down(_: Ask) -> Completion:
        raise EngineUnavailable("the engine answered 500")

    fake = FakeDesk(down)
    async with client_of(fake) as client:
        first = (await client.post("/chat", json=COUGH, headers=KEY)).json()
        fake.engine.script = plays()
        again = (await client.post("/chat", json=COUGH, headers=KEY)).json()
        other = (await client.post("/chat", json=COUGH, headers={"idempotency-key": "two"})).json()
    assert first == again
    assert (first["outcome_reason"], other["answer"]) == ("engine_failed", GOOD)


@pytest.mark.parametrize("error", [LedgerError("the ledger cannot be written"), ZeroDivisionError()])
@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
async def test_what_failed_is_tried_anew(error: Exception, stream: bool) -> None:
    class Fails(MemoryLedger):
        working = False

        async def record(self, entry: Any) -> None:
            if not self.working:
                raise error
            await super().record(entry)

    ledger = Fails()
    async with client_of(FakeDesk(ledger=ledger)) as client:
        body = {**COUGH, "stream": stream}
        assert b'"error"' in (await client.post("/chat", json=body, headers=KEY)).content
        ledger.working = True
        again = await client.post("/chat", json=body, headers=KEY)
    assert b'"error"' not in again.content
    assert GOOD.split()[-1].encode() in again.content


async def test_a_body_beyond_the_limit_is_refused_with_a_key_too() -> None:
    async with client_of(FakeDesk(limits=Limits(max_body_bytes=1024))) as client:

        async def pieces() -> Any:
            yield b"x" * 2048

        reply = await client.post("/chat", content=pieces(), headers=KEY)
    assert (reply.status_code, reply.json()["error"]["code"]) == (413, "body_too_large")


@pytest.mark.redis
async def test_between_processes_one_works_and_the_others_wait(redis_url: str) -> None:
    links = [Link(redis_url, metrics=Metrics(), limit_s=5) for _ in range(2)]
    here, there = (FakeDesk(slow(0.1, plays(BAD)), repeats=RedisRepeats(link, ttl_s=60)) for link in links)
    async with client_of(here) as one, client_of(there) as two:
        replies = await asyncio.gather(*(c.post("/chat", json=COUGH, headers=KEY) for c in (one, two, one, two)))
        conflict = await two.post("/chat", json={**COUGH, "stream": True}, headers=KEY)
    for link in links:
        await link.aclose()
    assert len({reply.content for reply in replies}) == 1
    assert sorted(bool(fake.engine.asks) for fake in (here, there)) == [False, True]
    assert conflict.status_code == 409


async def test_a_worker_that_died_is_followed_by_one_that_waits() -> None:
    repeats = MemoryRepeats(ttl_s=60, claim_s=0.2)
    gone = FakeDesk(repeats=repeats)
    waiting = FakeDesk(repeats=repeats)
    async with client_of(gone) as client:
        await client.post("/chat", json=COUGH, headers=KEY)
    name = next(iter(repeats._kept._kept))
    found = await repeats.claim(name, b"")
    assert found is not None
    await repeats._kept.put(name, found[:64] + b"w" + b"0" * 32, ttl_s=0.2)  # as its worker left it
    async with client_of(waiting) as client:
        reply = await client.post("/chat", json=COUGH, headers=KEY)
    assert reply.is_success
    assert any(is_verdict(ask) for ask in waiting.engine.asks)


async def test_work_that_was_given_up_does_not_put_out_the_work_that_follows_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Lingers(MemoryRepeats):
        async def drop(self, name: str, claim: bytes) -> None:
            await super().drop(name, claim)
            await asyncio.sleep(0.2)

    fake = FakeDesk(hang, repeats=Lingers(ttl_s=60))
    async with client_of(fake) as client:
        left = asyncio.create_task(client.post("/chat", json=COUGH, headers=KEY))
        await eventually(lambda: fake.engine.running == 1)
        left.cancel()
        await eventually(lambda: fake.engine.cancelled == 1)
        fake.engine.script = slow(0.2, plays())
        following = asyncio.create_task(client.post("/chat", json=COUGH, headers=KEY))
        await asyncio.sleep(0.3)
        joining = await client.post("/chat", json=COUGH, headers=KEY)
        assert (await following).content == joining.content
    gc.collect()
    assert "idempotent-replayed" not in joining.headers
    assert not [record for record in caplog.records if record.name == "asyncio"]
