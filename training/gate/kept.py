"""A model whose replies stay in a journal: what was asked before costs nothing, and who was stopped goes on."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from service.domain.completion import TokenProbability
from service.domain.conversation import Message
from training.journal import Journal
from training.models import Endpoint, Model

_Result = TypeVar("_Result")
_ALTERNATIVES: Final = 20
_KEPT: Final = ("choices", "usage")


class Kept(Model):
    """As the model that it asks; a reply is found again by the whole body, which says model, words and sampling."""

    def __init__(self, model: Model, journal: Journal) -> None:
        self.endpoint, self.calls = model.endpoint, model.calls
        self._asks, self._journal = model, journal

    async def send(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The reply's JSON, from the journal where it is there.

        Raises:
            ModelFailed: as the model does. A failure is not written down.

        """
        key = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        if key not in self._journal:
            reply = await self._asks.send(body)
            if key not in self._journal:  # the same may have been asked twice at once
                self._journal.append(key, {part: reply[part] for part in _KEPT if part in reply})
        return dict(self._journal[key])


@asynccontextmanager
async def kept(endpoint: Endpoint, folder: Path) -> AsyncIterator[Kept]:
    """A model by its URL; each server's replies have a journal of their own in the folder.

    Raises:
        JournalBroken: the journal cannot be read, or another process writes it.

    """
    digest = hashlib.sha256(f"{endpoint.url} {endpoint.model}".encode()).hexdigest()[:16]
    with Journal(folder / f"replies-{digest}.jsonl") as journal:
        async with Model.at(endpoint) as model:
            yield Kept(model, journal)


class Spoken:
    """A model of an event loop, for threads beside it: greedy replies and first tokens, as a checkpoint served here."""

    def __init__(self, model: Model, loop: asyncio.AbstractEventLoop) -> None:
        self._model, self._loop = model, loop

    def reply(self, messages: Sequence[Message], *, most: int, schema: str | None = None) -> str:
        """Its greedy reply.

        Raises:
            ModelFailed: the server gives none.

        """
        shape = {"response_format": _shape(schema)} if schema else {}
        return self.wait(self._model.ask(messages, temperature=0.0, max_tokens=most, **shape)).text

    def first_token(self, messages: Sequence[Message]) -> list[TokenProbability]:
        """The likeliest first tokens of its reply.

        Raises:
            ModelFailed: the server gives none.

        """
        asked = self._model.ask(messages, temperature=0.0, max_tokens=1, logprobs=True, top_logprobs=_ALTERNATIVES)
        return list(self.wait(asked).first_token)

    def wait(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """What the loop makes of it; never to be called in the loop's own thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def _shape(schema: str) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "reply", "schema": json.loads(schema), "strict": True}}
