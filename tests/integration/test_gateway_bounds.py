"""What a request may be before anybody reads it: its head, its pace, and the pages that may send it."""

import asyncio
import time

import httpx
import pytest

from service.domain.errors import SettingsError
from service.gateway import protocol
from service.gateway.desk import Limits
from service.settings import read_settings
from tests.gateway_fakes import COUGH, FakeDesk, client_of, plays, serving
from tests.integration.test_gateway_chat import slow

PAGE = "https://ward.example"


async def told(address: str, *pieces: bytes, pause_s: float = 0.0) -> bytes:
    """What a server says to these bytes until it closes the connection."""
    host, port = address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        async with asyncio.timeout(5):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause_s)
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_a_head_without_end_is_cut_and_told_why() -> None:
    async with serving(FakeDesk().web) as address:
        said = await told(address, b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-long: ", *([b"a" * 8192] * 9), pause_s=0.01)
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 ")
    assert b'"code":"headers_too_large"' in body


async def test_what_is_no_http_is_told_so_as_every_error_is() -> None:
    async with serving(FakeDesk().web) as address:
        said = await told(address, b"HELLO\r\n\r\n")
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"x-request-id: req_" in head
    assert b"x-content-type-options: nosniff" in head
    assert b'"code":"invalid_http"' in body


async def test_an_address_without_end_is_cut() -> None:
    async with serving(FakeDesk().web) as address:
        said = await told(address, b"GET /", *([b"a" * 8192] * 9), pause_s=0.01)
    assert said.startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("piece", [b"GET /healthz HTTP/1.1\r\nhost:", b""], ids=["half a head", "nothing"])
async def test_a_head_that_does_not_come_is_not_waited_for(piece: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_S", 0.2)
    async with serving(FakeDesk().web) as address:
        began = time.monotonic()
        said = await told(address, piece)
    assert time.monotonic() - began < 2
    assert said[:13] == (b"HTTP/1.1 408 " if piece else b"")


async def test_a_connection_is_used_again_after_a_slow_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_S", 0.3)
    async with client_of(FakeDesk()) as client:
        for _ in range(3):
            assert (await client.post("/chat", json=COUGH)).status_code == 200
            await asyncio.sleep(0.15)


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/healthz", {"x-long": "a" * 33_000}),
        ("/healthz", {f"x-{n}": "a" * 30 for n in range(1000)}),
        (f"/{'a' * 33_000}", {}),
    ],
    ids=["one long header", "many headers", "a long address"],
)
async def test_a_large_head_is_a_431(path: str, headers: dict[str, str]) -> None:
    async with client_of(FakeDesk()) as client:
        reply = await client.get(path, headers=headers)
    assert (reply.status_code, reply.json()["error"]["code"]) == (431, "headers_too_large")
    assert reply.headers["x-request-id"]


async def test_a_body_that_does_not_come_is_a_408() -> None:
    async with serving(FakeDesk(limits=Limits(max_body_s=0.2)).web) as address:
        said = await told(
            address, b"POST /chat HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 99\r\n\r\n{"
        )
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"slow_request"' in said


async def test_the_time_for_a_body_is_not_the_time_for_an_answer() -> None:
    async with client_of(FakeDesk(slow(0.3, plays()), limits=Limits(max_body_s=0.2))) as client:
        assert (await client.post("/chat", json=COUGH)).status_code == 200


async def test_no_page_of_another_origin_may_ask_unless_it_is_set() -> None:
    async with client_of(FakeDesk()) as client:
        preflight = await _preflight(client, PAGE)
        answer = await client.post("/chat", json=COUGH, headers={"origin": PAGE})
    assert preflight.status_code == 405
    assert not [name for reply in (preflight, answer) for name in reply.headers if name.startswith("access-control")]


async def test_a_page_whose_origin_is_set_may_ask_and_no_other() -> None:
    async with client_of(FakeDesk(limits=Limits(cors_origins=(PAGE,)))) as client:
        preflight = await _preflight(client, PAGE)
        answer = await client.post("/chat", json=COUGH, headers={"origin": PAGE})
        other = await _preflight(client, "https://other.example")
    assert preflight.status_code == 200
    assert {reply.headers["access-control-allow-origin"] for reply in (preflight, answer)} == {PAGE}
    assert "access-control-allow-credentials" not in answer.headers
    assert "x-request-id" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-origin" not in other.headers


async def _preflight(client: httpx.AsyncClient, origin: str) -> httpx.Response:
    asks = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}
    return await client.options("/chat", headers={"origin": origin, **asks})


@pytest.mark.parametrize("origin", ["*", "ward.example", "https://ward.example/page", "https://*.example"])
def test_an_origin_that_is_none_stops_the_start(origin: str) -> None:
    with pytest.raises(SettingsError, match="cors_origins"):
        read_settings(cors_origins=(origin,))
