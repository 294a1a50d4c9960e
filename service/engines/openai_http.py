"""The engine behind an OpenAI-compatible server: an ask goes out as a streamed call, a completion comes back."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from service.domain.completion import Ask, Completion, Usage
from service.domain.deadline import Deadline
from service.domain.errors import EngineError, EngineRefused, EngineTimeout, EngineUnavailable
from service.engines.breaker import Breaker
from service.engines.connection import Connection
from service.engines.endpoint import Endpoint
from service.engines.probe import QUESTION, probe, served
from service.engines.reply import Reply
from service.engines.request import completion_body
from service.engines.retry import Backoff, Busy, TryAgain
from service.engines.tokenize import TokenCounter
from service.pipeline.ports import Abilities

# What a server calls itself that knows vLLM's own fields; others may refuse an unknown one.
_VLLM = "vllm"
# How long a server that failed several times may take to say one token before it is left alone.
_WELL_S = 5.0


class OpenAIEngine:
    """Implements `Engine` over `endpoint`. `start` it before use and `aclose` it after."""

    def __init__(self, endpoint: Endpoint, *, breaker: Breaker | None = None, backoff: Backoff | None = None) -> None:
        self._endpoint = endpoint
        self._connection = Connection(endpoint)
        self._tokens = TokenCounter(self._connection, endpoint)
        self._breaker = breaker or Breaker()
        self._backoff = backoff or Backoff(retries=endpoint.max_retries)
        self._room = asyncio.Semaphore(endpoint.max_concurrency)
        self._model = endpoint.model
        self._is_vllm = False
        self._abilities: Abilities | None = None

    @property
    def abilities(self) -> Abilities:
        """What `start` found.

        Raises:
            EngineUnavailable: it has not found anything yet.

        """
        if self._abilities is None:
            raise EngineUnavailable("the engine has not been reached yet")
        return self._abilities

    async def start(self, deadline: Deadline) -> None:
        """Find out what the server can do; may be called again, after a failure or to look anew.

        Raises:
            EngineUnavailable: the server is down.
            EngineRefused: it lacks the model, or can give neither probabilities nor a JSON schema.
            EngineError: it answers, and not in a way that can be used.

        """
        async with _within(deadline):
            listed = await self._backoff.run(lambda: served(self._connection, self._endpoint), deadline=deadline)
            self._model = listed.id
            self._is_vllm = listed.owned_by == _VLLM
            self._tokens.forget()

            async def patiently(ask: Ask) -> Completion:
                return await self._backoff.run(lambda: self._exchange(ask), deadline=deadline)

            self._abilities = await probe(patiently, listed, self._endpoint)
            self._breaker.reset()

    async def complete(
        self, ask: Ask, *, deadline: Deadline, on_text: Callable[[str], None] | None = None
    ) -> Completion:
        """One reply; `on_text` is called with each piece as it comes. Cancelling the task ends the upstream call.

        Raises:
            EngineUnavailable: not reached, out of room to the end of the retries, silent too long, or circuit open.
            EngineTimeout: the deadline passed.
            EngineRefused: the request does not suit the server.
            EngineGarbled: the answer broke off or cannot be read.

        """
        broken: list[Reply] = []

        async def attempt() -> Completion:
            async with self._room, self._breaker.guard(self._is_well):
                return await self._exchange(ask, on_text, broken=broken)

        try:
            async with _within(deadline):
                return await self._backoff.run(attempt, deadline=deadline)
        except EngineError as error:
            error.spent = sum((reply.spent for reply in broken), Usage())
            raise

    async def count_tokens(self, text: str, *, deadline: Deadline) -> int | None:
        """Tokens of the text by the server's own tokenizer; None where it offers none.

        Raises:
            EngineError: the server failed, or the deadline passed.

        """
        async with _within(deadline):
            return await self._tokens.count(text, model=self._model)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._connection.aclose()

    async def _is_well(self) -> bool:
        """Whether the server still answers a question of ours, which no tenant could have spoilt."""
        try:
            async with asyncio.timeout(_WELL_S):
                await self._exchange(QUESTION)
        except (EngineRefused, Busy):  # it is alive
            return True
        except (EngineError, TimeoutError):
            return False
        return True

    async def _exchange(
        self, ask: Ask, on_text: Callable[[str], None] | None = None, *, broken: list[Reply] | None = None
    ) -> Completion:
        """One call. A reply that may have begun and does not end is put among the `broken`, however it is cut."""
        endpoint = self._endpoint
        body = completion_body(
            ask, model=self._model, extra=endpoint.extra_body, vllm=self._is_vllm, thinks=endpoint.reasoning
        )
        reply = Reply(on_text)
        try:
            await self._connection.stream(f"{self._endpoint.api}/chat/completions", body, take=reply.take)
            return reply.completion()
        except (EngineRefused, TryAgain):  # it was never begun
            raise
        except (EngineError, asyncio.CancelledError):
            if broken is not None:
                broken.append(reply)
            raise


@asynccontextmanager
async def _within(deadline: Deadline) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(deadline.remaining()):
            yield
    except TimeoutError as error:
        raise EngineTimeout("the deadline passed while the engine worked") from error
