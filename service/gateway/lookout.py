"""Somebody in danger is told what to do now, though their request is refused: the screen needs nothing else."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from service.domain.assessment import Danger
from service.domain.conversation import Conversation, Message
from service.domain.enquiry import Audience
from service.domain.errors import GatewayError
from service.pipeline.screen import Screen, language_spoken

# Characters that are looked at, the newest turns first: a refusal must stay cheap.
MAX_LETTERS = 8_000
# Refusals that are looked at together, and that wait for it; beyond that a flood is refused without a look.
_AT_ONCE = 2
_MOST_WAITING = 64


@dataclass(slots=True)
class Lookout:
    """Puts what must be said beside an error."""

    screen: Screen
    _room: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))
    _waiting: int = 0

    @asynccontextmanager
    async def over(self, conversation: Conversation, *, audience: Audience | None) -> AsyncIterator[None]:
        """Any error of ours that leaves the context carries the danger in the conversation, where there is one."""
        try:
            yield
        except GatewayError as error:
            if error.danger is None:
                error.danger = await self._look(conversation, audience=audience)
            raise

    async def _look(self, conversation: Conversation, *, audience: Audience | None) -> Danger | None:
        if self._waiting >= _MOST_WAITING:
            return None
        self._waiting += 1
        try:
            async with self._room:
                return await asyncio.to_thread(danger, self.screen, _newest(conversation), audience=audience)
        finally:
            self._waiting -= 1


def danger(screen: Screen, conversation: Conversation, *, audience: Audience | None) -> Danger | None:
    """What is found in a conversation, and what must be said of it; None where nothing is."""
    screened = screen.by_rules(conversation, audience=audience)
    if not screened.flags:
        return None
    advice = screen.duty(screened.flags, audience=screened.audience, language=language_spoken(conversation))
    return Danger(screened.flags, advice)


def _newest(conversation: Conversation) -> Conversation:
    """The newest turns whole, the next one's beginning, and nothing of the others: each keeps its place."""
    return Conversation(tuple(reversed(list(_cut(conversation.messages)))))


def _cut(messages: tuple[Message, ...]) -> Iterator[Message]:
    left = MAX_LETTERS
    for message in reversed(messages):
        yield replace(message, content=message.content[:left])
        left = max(0, left - len(message.content))
