"""Working fakes of the outside world, shared by all tests."""

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from service.domain.completion import Ask, Completion, Usage
from service.domain.deadline import Deadline
from service.domain.errors import EngineTimeout
from service.pipeline.ports import Abilities

ABILITIES = Abilities(
    model="fake",
    context_tokens=4096,
    probabilities=True,
    json_schema=True,
    cached_tokens=True,
    checkpoint_digest="sha256:0",
)
_WORDS = re.compile(r"\s*\S+|\s+")
Script = Callable[[Ask], Completion | Awaitable[Completion]]


@dataclass
class FakeEngine:
    """An `Engine` that a function plays: it returns a completion, raises an engine error, or waits to hang.

    The text is handed on word by word. `asks` are all calls in order; `cancelled` counts those that were ended early.
    """

    script: Script
    abilities: Abilities = ABILITIES
    tokens_per_word: int | None = 1
    asks: list[Ask] = field(default_factory=list)
    running: int = 0
    cancelled: int = 0

    async def complete(
        self, ask: Ask, *, deadline: Deadline, on_text: Callable[[str], None] | None = None
    ) -> Completion:
        self.asks.append(ask)
        self.running += 1
        try:
            async with asyncio.timeout(deadline.remaining()):
                completion = await self._play(ask)
        except TimeoutError as error:
            late = EngineTimeout("the deadline passed while the fake engine worked")
            late.spent = Usage(incomplete_calls=1)
            raise late from error
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
        if on_text is not None:
            for word in _WORDS.findall(completion.text):
                on_text(word)
        return completion

    async def count_tokens(self, text: str, *, deadline: Deadline) -> int | None:
        return None if self.tokens_per_word is None else self.tokens_per_word * len(text.split())

    async def _play(self, ask: Ask) -> Completion:
        await asyncio.sleep(0)
        played = self.script(ask)
        return await played if inspect.isawaitable(played) else played


async def hang(_: Ask) -> Completion:
    """A script that never answers."""
    await asyncio.Event().wait()
    raise AssertionError
