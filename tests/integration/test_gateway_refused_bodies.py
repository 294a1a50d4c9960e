"""Clients that send all of a body before they read: they see why it was refused, and nothing of it is kept."""

import asyncio
import http.client
import tracemalloc
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from starlette.types import Message, Receive, Scope, Send

from service.domain.enquiry import Tenant
from service.gateway.desk import Tenants
from service.gateway.middleware.linger import Linger
from tests.gateway_fakes import FakeDesk, serving

PIECE = b" " * 100_000
BODY = PIECE * 50
TIMES = 20


def pieces(count: int = 50) -> Iterator[bytes]:
    for _ in range(count):
        yield PIECE


def posted(address: str, body: bytes | Iterator[bytes], *, kept: bool) -> int:
    there = urlsplit(address)
    connection = http.client.HTTPConnection(there.hostname or "", there.port, timeout=10)
    headers = {"Connection": "keep-alive" if kept else "close"}
    if not isinstance(body, bytes):
        headers["Transfer-Encoding"] = "chunked"
    try:
        connection.request("POST", "/chat", body=body, headers=headers, encode_chunked=not isinstance(body, bytes))
        response = connection.getresponse()
        assert b"error" in response.read()
        return response.status
    finally:
        connection.close()


def opened(address: str) -> int:
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{address}/chat", data=BODY, timeout=10)
    with refused.value as reply:
        assert b"body_too_large" in reply.read()
    return refused.value.code


CLIENTS: dict[str, Callable[[str], int]] = {
    "announced": lambda address: posted(address, BODY, kept=False),
    "announced, kept": lambda address: posted(address, BODY, kept=True),
    "unannounced": lambda address: posted(address, pieces(), kept=False),
    "unannounced, kept": lambda address: posted(address, pieces(), kept=True),
    "urllib": opened,
}


@pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS.keys())
async def test_a_client_that_sends_all_before_it_reads_gets_the_413(client: Callable[[str], int]) -> None:
    async with serving(FakeDesk().web) as address:
        assert [await asyncio.to_thread(client, address) for _ in range(TIMES)] == [413] * TIMES


async def test_whatever_refuses_a_body_unread_is_heard() -> None:
    fake = FakeDesk(tenants=Tenants({"0" * 64: Tenant("app")}))
    async with serving(fake.web) as address:
        got = [await asyncio.to_thread(posted, address, BODY, kept=False) for _ in range(TIMES)]
    assert got == [401] * TIMES


@pytest.mark.parametrize("announced", [True, False])
async def test_nothing_of_what_is_thrown_away_is_kept(announced: bool) -> None:
    body = PIECE * 300
    async with serving(FakeDesk().web) as address:
        await asyncio.to_thread(posted, address, PIECE, kept=False)  # what is loaded once is loaded now
        tracemalloc.start()
        try:
            status = await asyncio.to_thread(posted, address, body if announced else pieces(300), kept=False)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert status == 413
    assert peak < (4_000_000 if announced else 8_000_000)  # the unannounced is read up to its limit before


async def refuses(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 413, "headers": []})
    await send({"type": "http.response.body", "body": b"no"})


def scope_of(**headers: str) -> Scope:
    named = {"content-length": "1", **headers}
    return {"type": "http", "headers": [(name.encode(), value.encode()) for name, value in named.items()]}


async def lingered(receive: Receive, **headers: str) -> list[Message]:
    sent: list[Message] = []

    async def sending(message: Message) -> None:
        sent.append(message)

    await Linger(refuses, most=1000, within_s=0.05)(scope_of(**headers), receive, sending)
    return sent


async def test_what_is_thrown_away_has_a_bound_in_bytes() -> None:
    came = 0

    async def endless() -> Message:
        nonlocal came
        came += 300
        return {"type": "http.request", "body": b" " * 300, "more_body": True}

    sent = await lingered(endless)
    assert came == 1200
    assert [message.get("more_body") for message in sent] == [None, True, False]


async def test_what_is_thrown_away_has_a_bound_in_seconds() -> None:
    async def silent() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    began = asyncio.get_running_loop().time()
    sent = await lingered(silent)
    assert asyncio.get_running_loop().time() - began >= 0.04
    assert sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


async def test_a_client_that_hung_up_is_not_waited_for() -> None:
    asked = 0

    async def gone() -> Message:
        nonlocal asked
        asked += 1
        return {"type": "http.disconnect"}

    assert (await lingered(gone))[-1]["more_body"] is False
    assert asked == 1


async def test_a_client_that_waits_to_be_told_to_go_on_is_told_no_and_its_connection_ends() -> None:
    async def never() -> Message:
        raise AssertionError

    start, end = await lingered(never, expect="100-continue")
    assert start["headers"] == [(b"connection", b"close")]
    assert "more_body" not in end
