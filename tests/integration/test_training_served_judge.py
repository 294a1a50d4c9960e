"""A served judge that several event loops ask in turn, as rollouts and TRL do."""

import asyncio
import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
import pytest

from service.domain.conversation import Message, Role
from tests.rubric_model import served
from training.models import Endpoint
from training.reward.adapters import Background
from training.reward.judges import ServedJudge

ASKED = (Message(Role.USER, "May I fly?"),)


async def test_each_event_loop_has_connections_that_last_as_long_as_it_does() -> None:
    async with served() as server:
        judge = ServedJudge(Endpoint(server.url, "scripted", tries=1))

        async def several() -> list[bool | None]:
            first = await judge.does(ASKED, "Yes.", "Says yes.")
            gc.collect()  # connections that nobody keeps would be closed here
            rest = await asyncio.gather(*(judge.does(ASKED, "Yes.", f"Says {at}.") for at in range(8)))
            return [first, *rest]

        told: list[list[bool | None]] = []

        def elsewhere() -> None:
            told.extend(asyncio.run(several()) for _ in range(2))

        thread = threading.Thread(target=elsewhere)
        thread.start()
        while thread.is_alive():
            await asyncio.sleep(0.005)
    assert len(told) == 2
    assert told[0] == told[1]
    assert None not in told[0]


@pytest.fixture
def sessions(monkeypatch: pytest.MonkeyPatch) -> list[aiohttp.ClientSession]:
    """Every session that was opened."""
    opened: list[aiohttp.ClientSession] = []
    make = aiohttp.ClientSession.__init__

    def noted(self: aiohttp.ClientSession, *given: object, **named: object) -> None:
        opened.append(self)
        make(self, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(aiohttp.ClientSession, "__init__", noted)
    return opened


@contextmanager
def _trls_loop() -> Iterator[asyncio.AbstractEventLoop]:
    """A loop in a daemon thread that nobody ends before the process, as TRL keeps one."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def test_closing_ends_the_connections_of_every_loop_that_still_runs(
    sessions: list[aiohttp.ClientSession],
) -> None:
    async with served() as server:
        judge = ServedJudge(Endpoint(server.url, "scripted", tries=1))
        with _trls_loop() as loop:
            there = asyncio.run_coroutine_threadsafe(judge.does(ASKED, "Yes.", "Says yes."), loop)
            assert await asyncio.wrap_future(there) is not None
            assert await judge.does(ASKED, "Yes.", "Says no.") is not None
            assert [session.closed for session in sessions] == [False, False]
            await judge.aclose()
            assert [session.closed for session in sessions] == [True, True]
        await judge.aclose()  # nothing is left to close


async def test_the_plain_callers_loop_ends_with_what_was_opened_in_it(sessions: list[aiohttp.ClientSession]) -> None:
    async with served() as server:
        judge, background = ServedJudge(Endpoint(server.url, "scripted", tries=1)), Background()
        assert await asyncio.to_thread(background.run, judge.does(ASKED, "Yes.", "Says yes.")) is not None
        await asyncio.to_thread(background.close)
    assert [session.closed for session in sessions] == [True]
