"""Work that is followed from outside: its stages, its silences, and its end."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from service.domain.enquiry import Enquiry
from service.gateway.answering import Answering, Given
from service.gateway.connected import end


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


_BEFORE_DRAFT = Stage("retrieve")
# A request that waits for a place is told that it was heard: who sees nothing at once believes the server gone.
_OPENING_S = 0.5
Signal = Stage | Provisional | Silence | Given


@dataclass(frozen=True, slots=True)
class Follower:
    """Watches the pipeline. Hears the draft itself only where `provisional_drafts`."""

    provisional_drafts: bool = False
    heard: asyncio.Queue[Stage | Provisional | None] = field(default_factory=asyncio.Queue)

    def stage(self, name: str) -> None:
        """Hear that a stage began."""
        self.heard.put_nowait(Stage(name))

    def provisional(self, text: str) -> None:
        """Hear a piece of the draft."""
        if self.provisional_drafts:
            self.heard.put_nowait(Provisional(text))

    async def follow(self, answering: Answering, enquiry: Enquiry) -> AsyncGenerator[Signal]:
        """Have an enquiry answered: each signal as it comes, and last of all what is given.

        Nothing is told before the draft begins, or a first silence: what is refused until then, such as a
        conversation that does not fit the model, can still be an ordinary error reply. Closing the iterator ends the
        work.
        """
        async with answering.admitted(enquiry) as work:
            task = asyncio.create_task(work(self))
            task.add_done_callback(lambda _: self.heard.put_nowait(None))
            held: tuple[Signal, ...] = ()
            try:
                pause = answering.desk.limits.keep_alive_s
                within_s = min(_OPENING_S, pause)
                while (signal := await self._hear(within_s=within_s)) is not None:
                    within_s = pause
                    told, held = ((), (signal,)) if signal == _BEFORE_DRAFT else ((*held, signal), ())
                    for one in told:
                        yield one
                yield task.result()
            finally:
                await end(task)

    async def _hear(self, *, within_s: float) -> Stage | Provisional | Silence | None:
        try:
            async with asyncio.timeout(within_s):
                return await self.heard.get()
        except TimeoutError:
            return Silence()
