"""The embedded engine behind a pointer: when `current` leads elsewhere, new answers come from there.

An answer that is being made ends on the checkpoint that it began with: `held` pins it for all of its calls.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from service.domain.completion import Ask, Completion
from service.domain.deadline import Deadline
from service.domain.errors import EngineError, EngineUnavailable, SettingsError
from service.engines.embedded import EmbeddedEngine
from service.engines.published import Published, opened, pointed
from service.observability.logs import event
from service.pipeline.ports import Abilities

_LOOK_EVERY_S = 1.0
_START_S = 60.0


@dataclass(eq=False, slots=True)
class _Served:
    """One checkpoint's engine, and how many answers and calls hold on to it."""

    name: str
    engine: EmbeddedEngine
    holders: int = 0
    unwanted: bool = False
    left: asyncio.Event = field(default_factory=asyncio.Event)

    @contextmanager
    def hold(self) -> Iterator["_Served"]:
        self.holders += 1
        self.left.clear()
        try:
            yield self
        finally:
            self.holders -= 1
            if not self.holders:
                self.left.set()


# What the answer of this task, and of the tasks that it began, is held to: one for each engine that was asked to.
_HELD: ContextVar[tuple[tuple["FollowingEngine", _Served], ...]] = ContextVar("held", default=())


class FollowingEngine:
    """Implements `Engine` over the checkpoint that `folder/current` leads to. `start` it before use, `aclose` it after.

    `serve` makes the engine of one checkpoint. What cannot be loaded is logged, and the one before stays.
    """

    def __init__(
        self, folder: Path, serve: Callable[[Published], EmbeddedEngine], *, look_every_s: float = _LOOK_EVERY_S
    ) -> None:
        self._folder, self._serve, self._every_s = folder, serve, look_every_s
        self._now: _Served | None = None
        self._refused = ""
        self._looking = asyncio.Lock()
        self._following: asyncio.Task[None] | None = None
        self._retiring: dict[_Served, asyncio.Task[None]] = {}

    @property
    def abilities(self) -> Abilities:
        """Of the checkpoint that this answer is held to, else of the current one.

        Raises:
            EngineUnavailable: it was not started.

        """
        return self._mine().engine.abilities

    async def start(self, deadline: Deadline) -> None:
        """Serve what the pointer leads to, and follow it from then on.

        Raises:
            SettingsError: it leads to nothing that can be served.
            EngineError: the loaded model cannot be used.

        """
        async with self._looking:
            if self._now is None:
                name = await asyncio.to_thread(pointed, self._folder)
                self._now = await self._begun(name, deadline)
                self._following = asyncio.create_task(self._follow())

    async def complete(
        self, ask: Ask, *, deadline: Deadline, on_text: Callable[[str], None] | None = None
    ) -> Completion:
        """As `OpenAIEngine.complete`."""
        with self._mine().hold() as served:
            return await served.engine.complete(ask, deadline=deadline, on_text=on_text)

    async def count_tokens(self, text: str, *, deadline: Deadline) -> int | None:
        """As `OpenAIEngine.count_tokens`."""
        with self._mine().hold() as served:
            return await served.engine.count_tokens(text, deadline=deadline)

    @contextmanager
    def held(self) -> Iterator[None]:
        """All calls of this context, and of tasks begun in it, go to the checkpoint that is current now."""
        if self._now is None:
            yield
            return
        with self._now.hold() as served:
            token = _HELD.set((*_HELD.get(), (self, served)))
            try:
                yield
            finally:
                _HELD.reset(token)

    async def look(self, *, again: bool = False) -> None:
        """Change to what the pointer leads to now; `again` tries even what could not be loaded before."""
        async with self._looking:
            if self._now is None:
                return
            try:
                name = await asyncio.to_thread(pointed, self._folder)
                if name == self._now.name or (name == self._refused and not again):
                    return
                self._refused = name
                fresh = await self._begun(name, Deadline.after(_START_S))
            except (SettingsError, EngineError) as error:
                event("checkpoint.not_followed", level=logging.ERROR, error=type(error).__name__)
                return
            old, self._now, self._refused = self._now, fresh, ""
            event("checkpoint.followed", version=fresh.engine.abilities.checkpoint_digest)
            self._retiring[old] = asyncio.create_task(self._retire(old))

    async def aclose(self) -> None:
        """Stop following, and end what runs on every checkpoint."""
        if self._following is not None:
            self._following.cancel()
            with suppress(asyncio.CancelledError):
                await self._following
        now, self._now = self._now, None
        for old in self._retiring:
            old.unwanted = True
            old.left.set()
        await asyncio.gather(*self._retiring.values())
        if now is not None:
            await now.engine.aclose()

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            await self.look()

    async def _begun(self, name: str, deadline: Deadline) -> _Served:
        engine = self._serve(await asyncio.to_thread(opened, self._folder, name))
        try:
            await engine.start(deadline)
        except BaseException:
            await engine.aclose()
            raise
        return _Served(name, engine)

    async def _retire(self, old: _Served) -> None:
        """Close it once the last answer that began on it has ended, or nobody waits for answers any more."""
        while old.holders and not old.unwanted:
            await old.left.wait()
        await old.engine.aclose()
        del self._retiring[old]
        event("checkpoint.retired", version=old.name)

    def _mine(self) -> _Served:
        for owner, served in _HELD.get():
            if owner is self:
                return served
        if self._now is None:
            raise EngineUnavailable("the embedded engine has not been started")
        return self._now
