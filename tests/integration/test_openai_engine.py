import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from loadtests.simulated_vllm import Simulation
from service.domain.completion import Ask, Prompt, Usage
from service.domain.conversation import Message, Role
from service.domain.deadline import Deadline
from service.domain.enquiry import Sampling, Shape
from service.domain.errors import (
    EngineError,
    EngineGarbled,
    EngineRefused,
    EngineTimeout,
    EngineUnavailable,
    SettingsError,
)
from service.engines.breaker import Breaker, Circuit
from service.engines.endpoint import Endpoint
from service.engines.openai_http import OpenAIEngine
from service.engines.retry import Backoff
from service.prompts import edits, verdict
from tests.servers import (
    DONE,
    Play,
    ScriptedServer,
    answers,
    chunk,
    endless,
    hangs,
    listening,
    says,
    simulated_vllm,
    streams,
    usage,
)

SOON = 5.0


def ask(text: str = "my secret question", *, top: int = 0, shape: Shape | None = None, **sampling: Any) -> Ask:
    return Ask(Prompt((Message(Role.USER, text),), shape or Shape()), Sampling(**sampling), top)


@asynccontextmanager
async def engine_at(base_url: str, **chosen: Any) -> AsyncIterator[OpenAIEngine]:
    """An engine that has not been started; `breaker` and `backoff` may be chosen, the rest is the endpoint's."""
    breaker, backoff = chosen.pop("breaker", None), chosen.pop("backoff", Backoff(retries=2, base_s=0.01))
    engine = OpenAIEngine(Endpoint(base_url=base_url, **chosen), breaker=breaker, backoff=backoff)
    try:
        yield engine
    finally:
        await engine.aclose()


@asynccontextmanager
async def scripted(*script: Play, **chosen: Any) -> AsyncIterator[tuple[ScriptedServer, OpenAIEngine]]:
    async with ScriptedServer(list(script)).serving() as server, engine_at(server.base_url, **chosen) as engine:
        yield server, engine


async def test_a_stream_comes_back_as_one_completion_and_piece_by_piece() -> None:
    play = streams(chunk("one "), b": ping\n\n", chunk("two"), chunk(finish_reason="stop"), usage(7, 2), DONE)
    heard: list[str] = []
    async with scripted(play) as (server, engine):
        completion = await engine.complete(ask(), deadline=Deadline.after(SOON), on_text=heard.append)
    assert (completion.text, completion.finish_reason, completion.usage.total_tokens) == ("one two", "stop", 9)
    assert heard == ["one ", "two"]
    assert server.bodies[0]["stream"] is True


async def test_the_key_is_sent_and_connections_are_kept() -> None:
    async with scripted(streams(*says("hi")), api_key="k1") as (server, engine):
        for _ in range(5):
            await engine.complete(ask(), deadline=Deadline.after(SOON))
    assert server.headers[0]["Authorization"] == "Bearer k1"
    assert len(server.peers) == 1


async def test_no_more_calls_run_at_once_than_were_allowed() -> None:
    async with scripted(streams(*says("hi"), pause_s=0.02), max_concurrency=3) as (server, engine):
        await asyncio.gather(*(engine.complete(ask(), deadline=Deadline.after(SOON)) for _ in range(12)))
    assert server.most_running == 3


@pytest.mark.parametrize(
    "play",
    [hangs(), hangs(after=[chunk("half")]), endless()],
    ids=["before the first byte", "after the first word", "in full flow"],
)
async def test_a_cancelled_call_ends_upstream_within_a_second(play: Play) -> None:
    async with scripted(play) as (server, engine):
        call = asyncio.create_task(engine.complete(ask(), deadline=Deadline.after(SOON)))
        await server.until_running()
        await asyncio.sleep(0.05)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await server.until_idle(within_s=1.0)
        assert server.aborted == 1


@pytest.mark.parametrize("play", [hangs(), endless()], ids=["before the first byte", "in full flow"])
async def test_a_deadline_ends_the_call_upstream_too(play: Play) -> None:
    async with scripted(play) as (server, engine):
        began = time.monotonic()
        with pytest.raises(EngineTimeout, match="deadline"):
            await engine.complete(ask(), deadline=Deadline.after(0.2))
        assert time.monotonic() - began < 1.0
        await server.until_idle(within_s=1.0)


# What a call had cost by the time it was cut: what its server had told, and that there was one.
CUT: dict[str, tuple[Play, Usage]] = {
    "before the first byte": (hangs(), Usage(incomplete_calls=1)),
    "nothing told yet": (hangs(after=[chunk("half")]), Usage(incomplete_calls=1)),
    "told with each chunk": (hangs(after=[chunk("half") + usage(70, 4)]), Usage(70, 4, incomplete_calls=1)),
    "dropped": (streams(chunk("half"), usage(70, 4), drop=True), Usage(70, 4, incomplete_calls=1)),
    "refused": (answers(400, {"error": {"code": "x"}}), Usage()),
    "never reached": (answers(503), Usage()),
}


@pytest.mark.parametrize(("play", "spent"), CUT.values(), ids=CUT.keys())
async def test_an_error_tells_what_its_call_had_cost(play: Play, spent: Usage) -> None:
    async with scripted(play, max_retries=0) as (_, engine):
        with pytest.raises(EngineError) as cut:
            await engine.complete(ask(), deadline=Deadline.after(0.3))
    assert cut.value.spent == spent


async def test_a_server_that_tells_no_tokens_leaves_a_call_incomplete() -> None:
    async with scripted(streams(chunk("hi"), chunk(finish_reason="stop"), DONE)) as (_, engine):
        completion = await engine.complete(ask(), deadline=Deadline.after(SOON))
    assert completion.usage == Usage(incomplete_calls=1)


async def test_a_call_that_waits_for_room_ends_at_its_deadline() -> None:
    async with scripted(endless(), max_concurrency=1) as (server, engine):
        first = asyncio.create_task(engine.complete(ask(), deadline=Deadline.after(SOON)))
        await server.until_running()
        with pytest.raises(EngineTimeout):
            await engine.complete(ask(), deadline=Deadline.after(0.1))
        assert len(server.bodies) == 1
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)


async def test_a_server_that_falls_silent_is_left_after_the_read_timeout() -> None:
    async with scripted(hangs(after=[chunk("half")]), read_timeout_s=0.1) as (server, engine):
        with pytest.raises(EngineUnavailable, match=r"silent for 0\.1 s"):
            await engine.complete(ask(), deadline=Deadline.after(SOON))
        await server.until_idle()
        assert len(server.bodies) == 1


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_a_passing_failure_is_tried_again(status: int) -> None:
    async with scripted(answers(status, {}), answers(status, {}), streams(*says("hi"))) as (server, engine):
        assert (await engine.complete(ask(), deadline=Deadline.after(SOON))).text == "hi"
        assert len(server.bodies) == 3


@pytest.mark.parametrize(
    ("status", "expected"), [(400, EngineRefused), (401, EngineRefused), (307, EngineRefused), (500, EngineUnavailable)]
)
async def test_a_lasting_failure_is_not_tried_again(status: int, expected: type[EngineError]) -> None:
    async with scripted(answers(status, {"error": {"code": "c1", "message": "my secret question"}})) as (
        server,
        engine,
    ):
        with pytest.raises(expected, match=rf"^the engine answered {status} \(c1\)$"):
            await engine.complete(ask(), deadline=Deadline.after(SOON))
        assert len(server.bodies) == 1


async def test_retry_after_is_honoured_within_the_deadline() -> None:
    async with scripted(answers(429, {}, Retry_After="0.3"), streams(*says("hi"))) as (_, engine):
        began = time.monotonic()
        await engine.complete(ask(), deadline=Deadline.after(SOON))
        assert time.monotonic() - began >= 0.3


async def test_a_retry_after_beyond_the_deadline_fails_at_once() -> None:
    async with scripted(answers(429, {}, Retry_After="60")) as (_, engine):
        began = time.monotonic()
        with pytest.raises(EngineUnavailable, match="429"):
            await engine.complete(ask(), deadline=Deadline.after(SOON))
        assert time.monotonic() - began < 1.0


BROKEN = {
    "no finish_reason": ((chunk("half"), DONE), False),
    "ended early": ((chunk("half"),), False),
    "connection cut in a token": ((chunk("half")[:20],), True),
    "connection cut after a word": ((chunk("half"),), True),
    "broken JSON": ((b'data: {"choices": [\n\n',), False),
    "not UTF-8": ((b"data: \xff\n\n",), False),
    "an error without a code": ((chunk("half"), b'data: {"error": {"message": "my secret answer"}}\n\n'), False),
}


@pytest.mark.parametrize(("pieces", "drop"), BROKEN.values(), ids=BROKEN.keys())
async def test_a_broken_stream_is_garbled_and_never_tried_again(pieces: tuple[bytes, ...], drop: bool) -> None:
    async with scripted(streams(*pieces, drop=drop), streams(*says("hi"))) as (server, engine):
        with pytest.raises(EngineGarbled) as caught:
            await engine.complete(ask(), deadline=Deadline.after(SOON))
        assert "secret" not in str(caught.value)
        assert len(server.bodies) == 1


async def test_an_error_in_a_stream_with_a_status_is_named_by_it() -> None:
    async with scripted(streams(b'data: {"error": {"code": 400, "type": "BadRequestError"}}\n\n')) as (_, engine):
        with pytest.raises(EngineRefused, match="BadRequestError, 400"):
            await engine.complete(ask(), deadline=Deadline.after(SOON))


async def test_a_reply_that_is_no_stream_is_garbled() -> None:
    async with scripted(answers(200, {"choices": []})) as (_, engine):
        with pytest.raises(EngineGarbled, match="application/json where a stream was asked for"):
            await engine.complete(ask(), deadline=Deadline.after(SOON))


async def test_a_server_that_is_down_is_unavailable_after_the_retries(unused_tcp_port: int) -> None:
    async with engine_at(f"http://127.0.0.1:{unused_tcp_port}/v1") as engine:
        with pytest.raises(EngineUnavailable, match="cannot be reached"):
            await engine.complete(ask(), deadline=Deadline.after(SOON))


async def test_an_open_circuit_spares_the_server_and_a_probe_closes_it() -> None:
    now = [0.0]
    breaker = Breaker(threshold=3, cool_down_s=10.0, clock=lambda: now[0])
    down = answers(500, {})
    async with scripted(down, down, down, down, streams(*says("hi")), breaker=breaker) as (server, engine):
        for _ in range(5):
            with pytest.raises(EngineUnavailable):
                await engine.complete(ask(), deadline=Deadline.after(SOON))
        assert len(server.bodies) == 4  # the last was a question of ours
        now[0] = 10.0
        assert (await engine.complete(ask(), deadline=Deadline.after(SOON))).text == "hi"
        assert breaker.circuit is Circuit.CLOSED


async def test_a_request_that_makes_a_well_server_fail_closes_it_to_nobody_else() -> None:
    async def spoilt(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        is_poison = "poison" in body["messages"][-1]["content"]
        return await (answers(500, {}) if is_poison else streams(*says("hi")))(request, body)

    breaker = Breaker(threshold=3)
    async with scripted(spoilt, breaker=breaker) as (_, engine):
        for _ in range(10):
            with pytest.raises(EngineUnavailable):
                await engine.complete(ask("poison"), deadline=Deadline.after(SOON))
            assert breaker.circuit is Circuit.CLOSED
        assert (await engine.complete(ask(), deadline=Deadline.after(SOON))).text == "hi"


@pytest.mark.parametrize("cut", ["close", "reset"])
async def test_a_kept_connection_that_the_server_has_closed_is_no_failure(cut: str) -> None:
    replies = 0

    async def one_reply_a_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal replies
        await reader.readuntil(b"true}}")
        body = b"".join(says("hi"))
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        )
        replies += 1
        await reader.readexactly(1)  # the next request has begun to come: too late
        writer.close() if cut == "close" else writer.transport.abort()

    server = await asyncio.start_server(one_reply_a_connection, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    async with server, engine_at(url, backoff=Backoff(retries=0)) as engine:
        for _ in range(3):
            assert (await engine.complete(ask(), deadline=Deadline.after(SOON))).text == "hi"
    assert replies == 3


async def test_a_connection_cut_after_the_last_event_loses_nothing() -> None:
    async with scripted(streams(*says("hi"), drop=True)) as (_, engine):
        assert (await engine.complete(ask(), deadline=Deadline.after(SOON))).text == "hi"


# --- start ------------------------------------------------------------------------------------------------------------


async def test_start_finds_out_what_vllm_can_do() -> None:
    async with simulated_vllm(Simulation(ttft_s=0, prefill_s=0, inter_token_s=0)) as (_, url), engine_at(url) as engine:
        with pytest.raises(EngineUnavailable, match="not been reached"):
            _ = engine.abilities
        await engine.start(Deadline.after(SOON))
        found = engine.abilities
    assert (found.model, found.context_tokens) == ("simulated", 8192)
    assert found.probabilities
    assert found.json_schema
    assert found.cached_tokens
    assert not found.demonstration


async def test_calls_of_different_salts_share_nothing_in_vllms_prefix_cache() -> None:
    simulation = Simulation(ttft_s=0, prefill_s=0, inter_token_s=0)
    async with simulated_vllm(simulation) as (_, url), engine_at(url) as engine:
        await engine.start(Deadline.after(SOON))

        async def cached(salt: str) -> int:
            salted = replace(ask("a long question " * 60, max_tokens=1), cache_salt=salt)
            return (await engine.complete(salted, deadline=Deadline.after(SOON))).usage.cached_tokens

        assert [await cached("one") > 0, await cached("two") > 0, await cached("one") > 0] == [False, False, True]


async def test_a_server_without_probabilities_that_honours_schemas_will_do() -> None:
    async def play(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        if "logprobs" in body:
            return await answers(400, {})(request, body)
        return await streams(*says('{"present": true}' if "response_format" in body else "Yes"))(request, body)

    async with scripted(play, demonstration=True) as (_, engine):
        await engine.start(Deadline.after(SOON))
        assert (engine.abilities.probabilities, engine.abilities.json_schema) == (False, True)
        assert engine.abilities.demonstration


async def test_a_server_that_ignores_both_silently_is_refused() -> None:
    async with scripted(streams(*says("Yes, it is."))) as (_, engine):
        with pytest.raises(EngineRefused, match="neither token probabilities nor JSON under a schema"):
            await engine.start(Deadline.after(SOON))
        with pytest.raises(EngineUnavailable):
            _ = engine.abilities


async def test_a_model_that_is_not_served_is_refused_by_name() -> None:
    async with scripted(streams(*says("hi")), model="other") as (_, engine):
        with pytest.raises(EngineRefused, match="serves scripted, not the model 'other'"):
            await engine.start(Deadline.after(SOON))


async def test_a_listing_that_cannot_be_read_is_garbled() -> None:
    async with scripted(streams(*says("hi"))) as (server, engine):
        server.models = {"data": "none"}
        with pytest.raises(EngineGarbled, match="listing of models"):
            await engine.start(Deadline.after(SOON))


async def test_a_listing_without_an_end_is_garbled() -> None:
    async with scripted(streams(*says("hi"))) as (server, engine):
        server.models = {"data": [], "more": "x" * (5 << 20)}
        with pytest.raises(EngineGarbled, match="longer than"):
            await engine.start(Deadline.after(SOON))


async def test_a_server_that_refuses_schemas_and_gives_probabilities_will_do() -> None:
    async def play(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        if "response_format" in body:
            return await answers(400, {})(request, body)
        top = {"content": [{"token": "Yes", "top_logprobs": [{"token": "Yes", "logprob": -0.1}]}]}
        return await streams(chunk("Yes", logprobs=top), chunk(finish_reason="length"), DONE)(request, body)

    async with scripted(play) as (_, engine):
        await engine.start(Deadline.after(SOON))
        assert (engine.abilities.probabilities, engine.abilities.json_schema) == (True, False)


async def test_a_server_that_is_silent_from_the_start_is_left_after_the_read_timeout() -> None:
    async with scripted(hangs(), read_timeout_s=0.1) as (server, engine):
        with pytest.raises(EngineUnavailable, match=r"silent for 0\.1 s"):
            await engine.complete(ask(), deadline=Deadline.after(SOON))
        assert len(server.bodies) == 1


async def test_a_server_that_speaks_no_http_is_garbled() -> None:
    async def mumble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"true}}")
        writer.write(b"220 mail.example ESMTP\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(mumble, "127.0.0.1", 0)
    async with server, engine_at(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1") as engine:
        with pytest.raises(EngineGarbled, match="does not speak HTTP"):
            await engine.complete(ask(), deadline=Deadline.after(SOON))


async def test_a_server_that_comes_up_later_can_be_started_again(unused_tcp_port: int) -> None:
    async with engine_at(f"http://127.0.0.1:{unused_tcp_port}/v1") as engine:
        with pytest.raises(EngineUnavailable):
            await engine.start(Deadline.after(SOON))
    server = ScriptedServer([answers(503, {})])
    async with server.serving(), engine_at(server.base_url) as engine:
        with pytest.raises(EngineUnavailable):
            await engine.start(Deadline.after(SOON))
        server.script = [streams(*says('{"present":true}'))]
        await engine.start(Deadline.after(SOON))
        assert engine.abilities.json_schema


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8000/v1",
        "http://localhost:8000",
        "ftp://x/v1",
        "http:///v1",
        "http://h:99999/v1",
        "http://h/v1?a=b",
    ],
)
def test_a_url_that_is_no_v1_stops_the_start(url: str) -> None:
    with pytest.raises(SettingsError, match="/v1"):
        Endpoint(base_url=url)


@pytest.mark.parametrize("url", ["http://name:sesame@h/v1", "http://sesame@h/v1", "http://name:sesame@h"])
def test_a_password_in_the_url_stops_the_start_without_being_told(url: str) -> None:
    with pytest.raises(SettingsError, match="upstream key") as caught:
        Endpoint(base_url=url)
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize("key", ["k1\n", "k 1", "ké"])
def test_a_key_that_fits_no_header_stops_the_start_without_being_told(key: str) -> None:
    with pytest.raises(SettingsError, match="no header can carry") as caught:
        Endpoint(base_url="http://h/v1", api_key=key)
    assert key not in str(caught.value)


async def test_a_deadline_that_has_passed_asks_nobody() -> None:
    async with scripted(streams(*says("hi"))) as (server, engine):
        with pytest.raises(EngineTimeout):
            await engine.complete(ask(), deadline=Deadline.after(-1.0))
        assert not server.bodies


def test_a_bound_that_is_not_positive_stops_the_start() -> None:
    with pytest.raises(SettingsError, match="must be positive"):
        Endpoint(base_url="http://h/v1", max_concurrency=0)


def test_the_key_is_not_in_the_endpoints_words() -> None:
    assert "k1" not in repr(Endpoint(base_url="http://h/v1", api_key="k1"))


# --- tokens -----------------------------------------------------------------------------------------------------------


def tokenizer(reply: Callable[[dict[str, Any]], object], calls: list[dict[str, Any]]) -> web.Application:
    async def tokenize(request: web.Request) -> web.Response:
        calls.append(await request.json())
        return web.json_response(reply(calls[-1]))

    app = web.Application()
    app.router.add_post("/tokenize", tokenize)
    return app


async def count_twice(app: web.Application) -> tuple[int | None, int | None]:
    async with listening(app) as address, engine_at(f"{address}/v1", model="m") as engine:
        first = await engine.count_tokens("two words", deadline=Deadline.after(SOON))
        return first, await engine.count_tokens("two words", deadline=Deadline.after(SOON))


async def test_vllm_counts_tokens() -> None:
    calls: list[dict[str, Any]] = []
    assert await count_twice(tokenizer(lambda _: {"count": 2, "tokens": [1, 2]}, calls)) == (2, 2)
    assert calls == [{"model": "m", "prompt": "two words", "add_special_tokens": False}] * 2


async def test_llama_cpp_counts_tokens_and_is_remembered() -> None:
    calls: list[dict[str, Any]] = []
    app = tokenizer(lambda body: {"tokens": [1, 2, 3] if "content" in body else []}, calls)
    assert await count_twice(app) == (3, 3)
    assert len(calls) == 3


async def test_a_server_without_a_tokenizer_is_asked_only_once() -> None:
    calls: list[dict[str, Any]] = []
    assert await count_twice(tokenizer(calls.append, calls)) == (None, None)
    assert len([call for call in calls if "prompt" in call]) == 2  # each is recorded by the app and by its reply


# --- against the simulated vLLM ---------------------------------------------------------------------------------------


async def test_a_verdict_is_read_from_the_first_token() -> None:
    draft = (Message(Role.USER, "?"), Message(Role.ASSISTANT, "Drink enough water and rest."))
    async with simulated_vllm() as (_, url), engine_at(url, model="simulated") as engine:
        for criterion, present in (("says to drink enough water", True), ("names every emergency number", False)):
            prompt = Prompt((*draft, verdict.instruction(criterion)))
            completion = await engine.complete(Ask(prompt, Sampling(max_tokens=1), 5), deadline=Deadline.after(SOON))
            assert verdict.read(completion.first_token).present is present


async def test_edits_under_the_schema_can_be_read_and_applied() -> None:
    body = "Drink enough. Rest."
    wish = Message(Role.USER, "- Add what is missing: Call a doctor.\n- Take out what is forbidden: Rest.")
    prompt = Prompt((Message(Role.USER, "?"), Message(Role.ASSISTANT, body), wish), Shape(schema=edits.SCHEMA))
    async with simulated_vllm() as (_, url), engine_at(url, model="simulated") as engine:
        completion = await engine.complete(Ask(prompt, Sampling()), deadline=Deadline.after(SOON))
    mended = edits.apply(body, edits.read(completion.text))
    assert "Call a doctor." in mended
    assert "Rest." not in mended


async def test_a_prompt_that_starts_like_an_earlier_one_is_cached_up_to_a_block() -> None:
    shared = "water and rest " * 40
    async with simulated_vllm() as (_, url), engine_at(url, model="simulated") as engine:
        first = await engine.complete(ask(shared, max_tokens=1), deadline=Deadline.after(SOON))
        second = await engine.complete(ask(f"{shared} more", max_tokens=1), deadline=Deadline.after(SOON))
    assert first.usage.cached_tokens == 0
    assert 0 < second.usage.prompt_tokens - second.usage.cached_tokens <= 32


async def test_the_simulated_vllm_counts_what_was_aborted() -> None:
    async with simulated_vllm() as (server, url), engine_at(url, model="simulated") as engine:
        call = asyncio.create_task(engine.complete(ask(), deadline=Deadline.after(SOON)))
        async with asyncio.timeout(2):
            while not server.counts.generated_tokens:
                await asyncio.sleep(0.01)
            call.cancel()
            while server.counts.running:
                await asyncio.sleep(0.01)
    assert server.counts.finished["abort"] == 1
