"""Work that is followed from outside: its stages, its silences, and its end."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field

from service.gateway.answering import Given, Work


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage began."""

    name: str


@dataclass(frozen=True, slots=True)
class Provisional:
    """A piece of the draft, which nobody has judged yet."""

    text: str


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing was heard for as long as a proxy may wait."""


Signal = Stage | Provisional | Silence | Given


@dataclass(frozen=True, slots=True)
class Follower:
    """Watches the pipeline. Hears stages where `stages`, and the draft itself only where `provisional_drafts`."""

    stages: bool = False
    provisional_drafts: bool = False
    heard: asyncio.Queue[Stage | Provisional | None] = field(default_factory=asyncio.Queue)

    def stage(self, name: str) -> None:
        """Hear that a stage began."""
        if self.stages:
            self.heard.put_nowait(Stage(name))

    def provisional(self, text: str) -> None:
        """Hear a piece of the draft."""
        if self.provisional_drafts:
            self.heard.put_nowait(Provisional(text))

    async def follow(self, work: Work, *, keep_alive_s: float) -> AsyncGenerator[Signal]:
        """Each signal as it comes, and last of all what is given. Closing the iterator ends the work."""
        task = asyncio.ensure_future(_run(work, self))
        task.add_done_callback(lambda _: self.heard.put_nowait(None))
        try:
            while (signal := await _within(keep_alive_s, self.heard.get)) is not None:
                yield signal
            yield task.result()
        finally:
            task.cancel()
            await asyncio.wait({task})


async def _run(work: Work, follower: Follower) -> Given:
    return await work(follower)


async def _within(
    seconds: float, hear: Callable[[], Awaitable[Stage | Provisional | None]]
) -> Stage | Provisional | Silence | None:
    try:
        async with asyncio.timeout(seconds):
            return await hear()
    except TimeoutError:
        return Silence()
