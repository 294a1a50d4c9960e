"""A served model as the reward's judge: the gateway's own question of one word, put after prompt and answer."""

import asyncio
import math
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from service.domain.conversation import Message, Role
from service.prompts import verdict as words
from service.prompts.control import neutralise
from training.models import Endpoint, Model, ModelFailed

_ALTERNATIVES = 20
_CLOSES_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class ModelJudge:
    """Reads Yes against No from the first token's probabilities, as the gateway does; from `threshold` on it is Yes."""

    model: Model
    threshold: float = 0.5

    @property
    def name(self) -> str:
        """The model's name and the threshold: both change what it says."""
        return f"{self.model.endpoint.model}@{self.threshold}"

    async def does(self, prompt: Sequence[Message], answer: str, criterion: str) -> bool | None:
        """Whether the answer does what the criterion names; None where the call failed or nothing could be read."""
        said = Message(Role.ASSISTANT, neutralise(answer))
        turns = (*(Message(turn.role, neutralise(turn.content)) for turn in prompt), said, words.instruction(criterion))
        try:
            reply = await self.model.ask(
                turns, temperature=0.0, max_tokens=1, logprobs=True, top_logprobs=_ALTERNATIVES
            )
        except ModelFailed:
            return None
        if any(not math.isfinite(token.probability) for token in reply.first_token):
            return None
        return words.read(reply.first_token, threshold=self.threshold).present


class ServedJudge:
    """A model judge for whoever asks from whatever event loop: each has connections of its own, as long as it lives."""

    def __init__(self, endpoint: Endpoint, *, threshold: float = 0.5) -> None:
        self.name = f"{endpoint.model}@{threshold}"
        self._endpoint, self._threshold = endpoint, threshold
        # The manager is kept: once it is forgotten, its connections are closed.
        self._open: WeakKeyDictionary[
            asyncio.AbstractEventLoop, tuple[AbstractAsyncContextManager[Model], asyncio.Future[ModelJudge]]
        ] = WeakKeyDictionary()

    async def does(self, prompt: Sequence[Message], answer: str, criterion: str) -> bool | None:
        """As the model judge does."""
        return await (await self._judge()).does(prompt, answer, criterion)

    async def aclose(self) -> None:
        """Closes the connections of every event loop that still runs; those of the others ended with it."""
        here = asyncio.get_running_loop()
        while self._open:
            loop, (manager, _) = self._open.popitem()
            if loop is here:
                await _closed(manager)
            elif loop.is_running():  # TRL's, in a thread of its own, runs until the process ends
                async with asyncio.timeout(_CLOSES_WITHIN_S):
                    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_closed(manager), loop))

    async def _judge(self) -> ModelJudge:
        loop = asyncio.get_running_loop()
        if loop in self._open:
            return await self._open[loop][1]
        manager = Model.at(self._endpoint)
        opened: asyncio.Future[ModelJudge] = loop.create_future()
        self._open[loop] = manager, opened
        opened.set_result(ModelJudge(await manager.__aenter__(), self._threshold))
        return await opened


async def _closed(connections: AbstractAsyncContextManager[Model]) -> None:
    await connections.__aexit__(None, None, None)
