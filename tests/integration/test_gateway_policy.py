"""Where no answer passed or the engine failed: a 200 of the tenant's policy, or the error that the tenant asked for."""

from typing import Any

import openai
import pytest

from service.domain.completion import Ask, Completion
from service.domain.enquiry import FailurePolicy, Tenant
from service.domain.errors import (
    EngineError,
    EngineGarbled,
    EngineRefused,
    EngineSilent,
    EngineTimeout,
    EngineUnavailable,
)
from service.gateway.desk import Tenants
from tests.answering_routes import CHEST_WORDS, WAYS, proof, told
from tests.gateway_fakes import BAD, DUTY, GOOD, FakeDesk, client_of, plays
from tests.integration.test_gateway_idempotency import said
from tests.integration.test_gateway_openai import MESSAGES, openai_client

# One server answers on every way: a server a way would make a slow test of a quick one.
STREAMS = pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])


def desk(script: Any = None, **policy: Any) -> FakeDesk:
    return FakeDesk(script or plays(BAD, revision=BAD), tenants=Tenants(open_to=Tenant("local", **policy)))


@STREAMS
async def test_a_policy_outcome_is_a_200_with_the_reason_unless_the_tenant_wants_an_error(stream: bool) -> None:
    async with client_of(desk()) as client:
        for name, way in WAYS.items():
            reply = await client.post(way.path, json=way.body(stream=stream))
            ours = proof(reply.content, stream=stream)
            said = (reply.status_code, ours["outcome"], ours["outcome_reason"])
            assert said == (200, "safe_message", "criteria_unmet"), name
            assert b"Forbiddenword" not in reply.content, name


@STREAMS
async def test_a_tenant_that_wants_an_error_gets_one_with_the_proof_and_no_word_of_the_draft(stream: bool) -> None:
    fake = desk(policy_status=422, failure_policy=FailurePolicy.FAIL_CLOSED)
    async with client_of(fake) as client:
        for name, way in WAYS.items():
            reply = await client.post(way.path, json=way.body(stream=stream))
            error = told(reply.content, stream=stream)
            assert reply.status_code == (200 if stream else 422), name  # a stream had begun
            assert (error["code"], error["type"]) == ("content_filter", "invalid_request_error"), name
            assert "criteria_unmet" in error["message"], name
            assert b"Forbiddenword" not in reply.content, name
            entry = await client.get(f"/audit/{error['clinalign']['id']}")
            assert error["clinalign"]["outcome"] == entry.json()["outcome"] == "withheld", name
    assert f'outcome="withheld",reason="criteria_unmet"}} {len(WAYS)}.0'.encode() in fake.metrics.exposition()


@STREAMS
async def test_the_duty_opens_the_message_of_such_an_error(stream: bool) -> None:
    async with client_of(desk(policy_status=400)) as client:
        for name, way in WAYS.items():
            reply = await client.post(way.path, json=way.body(CHEST_WORDS, stream=stream))
            error = told(reply.content, stream=stream)
            assert error["message"].startswith(DUTY), name
            (flag,) = error["clinalign"]["red_flags"]
            assert (flag["family"], flag["evidence"]["message"]) == ("cardiac", 0), name
            assert b"arm is numb" not in reply.content, name


@pytest.mark.parametrize("fake", [
    desk(plays(GOOD), policy_status=422),
    desk(policy_status=422, failure_policy=FailurePolicy.RELEASE_FLAGGED),
], ids=["passed", "flagged"])  # fmt: skip
async def test_what_left_is_never_an_error(fake: FakeDesk) -> None:
    async with client_of(fake) as client:
        for stream in (False, True):
            reply = await client.post("/chat", json=WAYS["chat"].body(stream=stream))
            assert (reply.status_code, proof(reply.content, stream=stream)["outcome"][:8]) == (200, "released")


@pytest.mark.parametrize("status", [400, 403, 422])
async def test_openais_client_does_not_send_such_a_request_again(status: int) -> None:
    fake = desk(policy_status=status)
    async with openai_client(fake) as client:
        with pytest.raises(openai.APIStatusError) as refused:
            await client.with_options(max_retries=2).chat.completions.create(model="fake", messages=MESSAGES)
    assert (refused.value.status_code, refused.value.code) == (status, "content_filter")
    assert b'outcome="safe_message",reason="criteria_unmet"} 1.0' in fake.metrics.exposition()


@STREAMS
async def test_with_an_idempotency_key_it_is_the_same_error_again_and_no_more_work(stream: bool) -> None:
    fake, way = desk(policy_status=422), WAYS["chat completions"]
    async with client_of(fake, **{"idempotency-key": "one"}) as client:
        first = await client.post(way.path, json=way.body(stream=stream))
        calls = len(fake.engine.asks)
        again = await client.post(way.path, json=way.body(stream=stream))
    assert (again.status_code, said(again)) == (first.status_code, said(first))
    assert again.headers["idempotent-replayed"] == "true"
    assert len(fake.engine.asks) == calls


async def test_a_check_tells_what_it_found_whatever_the_tenant_wants_of_answers() -> None:
    async with client_of(desk(policy_status=422)) as client:
        reply = await client.post("/check", json={**WAYS["chat"].body(), "answer": BAD})
    assert (reply.status_code, reply.json()["outcome"]) == (200, "safe_message")


# --- engines that fail ------------------------------------------------------------------------------------------------
FAILURES: dict[str, tuple[EngineError, int, str]] = {
    "down": (EngineUnavailable("the engine cannot be reached (ClientConnectorError)"), 503, "engine_unavailable"),
    "silent": (EngineSilent("the engine was silent for 120 s"), 504, "engine_silent"),
    "refuses": (EngineRefused("the engine answered 400", status=400), 502, "engine_refused"),
    "garbled": (EngineGarbled("the engine broke off its answer"), 502, "engine_garbled"),
}


def fails(error: EngineError) -> Any:
    def play(_: Ask) -> Completion:
        raise error

    return play


@pytest.mark.parametrize(("error", "status", "code"), FAILURES.values(), ids=FAILURES.keys())
async def test_an_engines_failure_is_told_with_its_cause_where_the_tenant_wants_it(
    error: EngineError, status: int, code: str
) -> None:
    async with client_of(desk(fails(error), engine_errors=True)) as client:
        for name, way in WAYS.items():
            for stream in (False, True):
                reply = await client.post(way.path, json=way.body(stream=stream))
                found = told(reply.content, stream=stream)
                assert (reply.status_code, found["code"]) == (200 if stream else status, code), name
                assert str(error) in found["message"], name
                assert b"cough" not in reply.content, name


@pytest.mark.parametrize("engine_errors", [False, True])
async def test_otherwise_and_wherever_someone_is_in_danger_the_policy_answers_with_200(engine_errors: bool) -> None:
    async with client_of(desk(fails(EngineUnavailable("down")), engine_errors=engine_errors)) as client:
        for name, way in WAYS.items():
            for stream in (False, True):
                reply = await client.post(way.path, json=way.body(CHEST_WORDS, stream=stream))
                ours = proof(reply.content, stream=stream)
                assert (reply.status_code, ours["outcome_reason"]) == (200, "engine_failed"), name
                assert ours["answer"].startswith(DUTY), name
        if not engine_errors:
            assert (await client.post("/chat", json=WAYS["chat"].body())).json()["outcome_reason"] == "engine_failed"


async def test_a_deadline_is_never_a_5xx() -> None:
    async with client_of(desk(fails(EngineTimeout("late")), engine_errors=True)) as client:
        reply = await client.post("/chat", json=WAYS["chat"].body())
    assert (reply.status_code, reply.json()["outcome_reason"]) == (200, "deadline")
