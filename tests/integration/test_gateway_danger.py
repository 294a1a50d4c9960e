"""Whatever is refused, who is in danger is told what to do now; and a refusal stays cheap."""

import asyncio
from typing import Any

import httpx
import pytest

from service.domain.conversation import Conversation, Message, Role
from service.domain.enquiry import Tenant
from service.domain.errors import LedgerError, Overloaded
from service.gateway.desk import Limits, Tenants
from service.gateway.lookout import MAX_LETTERS, Lookout
from tests.answering_routes import CHEST_WORDS, COUGH_WORDS, WAYS, told
from tests.fakes import hang
from tests.gateway_fakes import DUTY, FakeDesk, FakeScreen, client_of, serving
from tests.integration.test_gateway_admission import eventually, filled


def upholds(error: Any) -> bool:
    """Whether an error tells what must be done, in its message and beside it, and repeats nobody's words."""
    beside = error["clinalign"]
    return (
        error["message"].startswith(DUTY)
        and beside["advice"] == DUTY
        and [flag["family"] for flag in beside["red_flags"]] == ["cardiac"]
        and "arm is numb" not in str(error)
    )


async def test_beyond_a_quota_the_429_says_what_to_do_now() -> None:
    fake = FakeDesk(tenants=Tenants(open_to=Tenant("local", requests_per_minute=1)))
    async with client_of(fake) as client:
        await client.post("/chat", json=WAYS["chat"].body())
        for name, way in WAYS.items():
            for stream in (False, True):
                in_danger = await client.post(way.path, json=way.body(CHEST_WORDS, stream=stream))
                assert in_danger.status_code == 429, name
                assert upholds(told(in_danger.content, stream=False)), name
        other = await client.post("/chat", json=WAYS["chat"].body())
    assert other.status_code == 429
    assert "clinalign" not in other.json()["error"]


async def test_a_full_gateways_503_says_what_to_do_now() -> None:
    fake = FakeDesk(hang, limits=Limits(max_running=1, max_queued=1))
    async with client_of(fake) as client:
        tasks = await filled(client, fake, 2)
        for name, way in WAYS.items():
            for stream in (False, True):
                reply = await client.post(way.path, json=way.body(CHEST_WORDS, stream=stream))
                assert (reply.status_code, reply.json()["error"]["code"]) == (503, "overloaded"), name
                assert upholds(told(reply.content, stream=False)), name
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def test_an_answer_that_cannot_be_written_down_leaves_the_duty() -> None:
    class FullDisk:
        async def record(self, entry: Any) -> None:
            raise LedgerError("the ledger cannot be written")

    async with client_of(FakeDesk(ledger=FullDisk())) as client:
        for name, way in WAYS.items():
            for stream in (False, True):
                reply = await client.post(way.path, json=way.body(CHEST_WORDS, stream=stream))
                error = told(reply.content, stream=stream)
                assert (reply.status_code, error["code"]) == (200 if stream else 503, "ledger_unusable"), name
                assert upholds(error), name


@pytest.mark.parametrize("path", ["/check", "/screen"])
async def test_so_do_screenings_and_checks(path: str) -> None:
    fake = FakeDesk(tenants=Tenants(open_to=Tenant("local", requests_per_minute=1)))
    body = {**WAYS["chat"].body(CHEST_WORDS), **({"answer": "Rest."} if path == "/check" else {})}
    async with client_of(fake) as client:
        await client.post(path, json=body)
        assert upholds((await client.post(path, json=body)).json()["error"])


async def test_in_a_responses_error_the_evidence_is_in_the_callers_own_item() -> None:
    calls = [{"type": "function_call", "call_id": "a", "name": "find_clinic", "arguments": "{}"}]
    outputs = [{"type": "function_call_output", "call_id": "a", "output": "1"}]
    asked = [{"role": "user", "content": "Hello."}, *calls, *outputs, {"role": "user", "content": CHEST_WORDS}]
    body = {"input": asked, "instructions": "Be kind."}
    fake = FakeDesk(tenants=Tenants(open_to=Tenant("local", requests_per_minute=1)))
    async with client_of(fake) as client:
        await client.post("/v1/responses", json=body)
        error = (await client.post("/v1/responses", json=body)).json()["error"]
    assert error["clinalign"]["red_flags"][0]["evidence"]["message"] == 3


@pytest.mark.parametrize("path", ["/screen", "/principles/search", "/v1/embeddings"])
async def test_what_takes_no_model_call_is_bounded_too(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.gateway.web._QUICK_RUNNING", 1)
    monkeypatch.setattr("service.gateway.web._QUICK_QUEUED", 1)
    fake, held = FakeDesk(), asyncio.Event()
    bodies: dict[str, Any] = {
        "/screen": WAYS["chat"].body(CHEST_WORDS),
        "/principles/search": {"query": "cough"},
        "/v1/embeddings": {"input": "cough"},
    }

    class Slow:
        def __getattr__(self, name: str) -> Any:
            async def wait(*_: Any, **__: Any) -> Any:
                await held.wait()
                raise Overloaded("let go", retry_after_s=1.0)

            return wait if name in {"consult", "search", "count"} else getattr(fake, name)

    fake.principles = Slow()  # type: ignore[assignment]
    monkeypatch.setattr("tests.gateway_fakes.FakeEmbedder.count", Slow().count)
    async with client_of(fake) as client:
        inside = [asyncio.create_task(client.post(path, json=bodies[path])) for _ in range(2)]
        await asyncio.sleep(0.2)
        refused = await client.post(path, json=bodies[path])
        held.set()
        await asyncio.wait(inside)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "overloaded")
    assert int(refused.headers["retry-after"]) >= 1
    assert path != "/screen" or upholds(refused.json()["error"])


async def test_nobody_else_is_read_where_as_many_are_inside_as_may_be() -> None:
    fake = FakeDesk(hang, limits=Limits(max_running=1, max_queued=0))
    web = fake.web
    web.state.doors.most = 1

    async with serving(web) as address, httpx.AsyncClient(base_url=address, timeout=10) as client:
        first = asyncio.create_task(client.post("/chat", json=WAYS["chat"].body()))
        await eventually(lambda: fake.engine.running == 1)
        refused = await client.get("/principles")
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "overloaded")
        assert (await client.get("/healthz")).status_code == 200
        first.cancel()
        await asyncio.wait({first})
        await eventually(lambda: web.state.doors.inside == 0)
        assert (await client.get("/principles")).status_code == 200


class Counting(FakeScreen):
    """Remembers how much it was shown, and how many looked at once."""

    letters: list[int]

    def by_rules(self, conversation: Conversation, *, audience: Any) -> Any:
        self.__dict__.setdefault("letters", []).append(sum(len(m.content) for m in conversation.messages))
        return super().by_rules(conversation, audience=audience)


async def test_a_refusal_looks_at_the_newest_words_within_a_bound() -> None:
    screen = Counting()
    long = Conversation(
        (Message(Role.USER, "x" * 50_000), Message(Role.USER, CHEST_WORDS), Message(Role.USER, COUGH_WORDS))
    )
    with pytest.raises(Overloaded) as refused:
        async with Lookout(screen).over(long, audience=None):
            raise Overloaded("full", retry_after_s=1.0)
    assert refused.value.danger is not None
    assert refused.value.danger.red_flags[0].evidence.message == 1
    assert screen.letters == [MAX_LETTERS]


async def test_a_flood_is_refused_without_a_look_rather_than_waiting_for_one() -> None:
    lookout = Lookout(FakeScreen())
    flags = Conversation((Message(Role.USER, CHEST_WORDS),))

    async def refused() -> bool:
        with pytest.raises(Overloaded) as error:
            async with lookout.over(flags, audience=None):
                raise Overloaded("full", retry_after_s=1.0)
        return error.value.danger is not None

    looked = await asyncio.gather(*(refused() for _ in range(500)))
    assert 64 <= sum(looked) < 500
