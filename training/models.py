"""Any OpenAI-compatible model by its URL, for training and evaluation: messages in, text and token counts out."""

import asyncio
import math
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from service.domain.completion import TokenProbability, Usage
from service.domain.conversation import Message

_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0
_AGAIN: Final = frozenset({408, 409, 429, 500, 502, 503, 504})
_HOPELESS: Final = 16


class ModelFailed(Exception):
    """The model gave no reply that can be read, to the end of the tries. The message has no words of a prompt."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What it wrote; `first_token` is empty unless probabilities were asked for."""

    text: str
    finish_reason: str
    usage: Usage
    first_token: tuple[TokenProbability, ...] = ()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a model is served. The key is read from the environment variable `key_from`, never from a file or flag."""

    url: str
    model: str
    key_from: str = "OPENAI_API_KEY"
    concurrency: int = 16
    timeout_s: float = 300.0
    tries: int = 5

    def body(self, messages: Sequence[Message], **sampling: Any) -> dict[str, Any]:
        """The body of one chat completion, as a batch file holds it too."""
        said = [{"role": message.role.value, "content": message.content} for message in messages]
        return {"model": self.model, "messages": said, **sampling}


@dataclass(slots=True)
class Calls:
    """How a model's calls went: how many it answered, and how many failed, by reasons without a prompt's words."""

    answered: int = 0
    failed: Counter[str] = field(default_factory=Counter)

    @property
    def hopeless(self) -> bool:
        """Whether the first calls all failed, so many of them that the next would too."""
        return not self.answered and self.failed.total() >= _HOPELESS

    @property
    def said(self) -> str:
        """One line for a person; empty where none failed."""
        if not self.failed:
            return ""
        failed, reason = self.failed.total(), next(iter(self.failed))
        others = f", then others ({', '.join(list(self.failed)[1:3])})" if len(self.failed) > 1 else ""
        return f"{failed} of {failed + self.answered} calls failed: {reason} ({self.failed[reason]}x){others}"

    def spoil(self, reason: str) -> None:
        """Counts an answered call among the failed, since its answer was none."""
        self.answered -= 1
        self.failed[reason] += 1

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Counts the one call made within."""
        try:
            yield
        except ModelFailed as error:
            self.failed[str(error)] += 1
            raise
        self.answered += 1


class Model:
    """An endpoint with its connections: at most `concurrency` calls at once, each tried again where that may help."""

    def __init__(self, endpoint: Endpoint, session: aiohttp.ClientSession) -> None:
        self.endpoint, self.calls = endpoint, Calls()
        self._session = session
        self._places = asyncio.Semaphore(endpoint.concurrency)

    @classmethod
    @asynccontextmanager
    async def at(cls, endpoint: Endpoint) -> AsyncIterator["Model"]:
        """The model, and its connections closed at the end."""
        key = os.environ.get(endpoint.key_from)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        timeout = aiohttp.ClientTimeout(total=endpoint.timeout_s)
        connector = aiohttp.TCPConnector(limit=endpoint.concurrency)
        async with aiohttp.ClientSession(headers=headers, timeout=timeout, connector=connector) as session:
            yield cls(endpoint, session)

    async def ask(self, messages: Sequence[Message], **sampling: Any) -> Reply:
        """One reply to a conversation; `sampling` are fields of the body, such as temperature.

        Raises:
            ModelFailed: no reply after the last try, or one that cannot be read.

        """
        reply = await self.send(self.endpoint.body(messages, **sampling))
        try:
            return read_reply(reply)
        except ModelFailed as error:
            self.calls.spoil(f"{self.endpoint.url}: {error}")
            raise

    async def send(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The reply's JSON.

        Raises:
            ModelFailed: as `ask`.

        """
        with self.calls.counted():
            return await self._sent(body)

    async def _sent(self, body: Mapping[str, Any]) -> dict[str, Any]:
        said = "no try was made"
        for number in range(self.endpoint.tries):
            if number:
                await asyncio.sleep(_pause(number))
            async with self._places:
                reply, said, again = await self._once(body)
            if reply is not None:
                return reply
            if not again:
                break
        raise ModelFailed(f"{self.endpoint.url}: {said}")

    async def _once(self, body: Mapping[str, Any]) -> tuple[dict[str, Any] | None, str, bool]:
        try:
            async with self._session.post(f"{self.endpoint.url.rstrip('/')}/chat/completions", json=body) as answer:
                if answer.status >= 400:
                    return None, f"status {answer.status}", answer.status in _AGAIN
                read = await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return None, type(error).__name__, True
        return (read, "", False) if isinstance(read, dict) else (None, "not a JSON object", False)


def read_reply(answer: Mapping[str, Any]) -> Reply:
    """A chat completion's JSON as a record.

    Raises:
        ModelFailed: it has not the form of a chat completion.

    """
    try:
        choice, usage = answer["choices"][0], answer.get("usage") or {}
        tokens = (choice.get("logprobs") or {}).get("content") or []
        first = tokens[0]["top_logprobs"] if tokens else []
        return Reply(
            text=whole(str(choice["message"].get("content") or "")),
            finish_reason=str(choice.get("finish_reason") or ""),
            usage=Usage(
                int(usage.get("prompt_tokens") or 0),
                int(usage.get("completion_tokens") or 0),
                int((usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0),
            ),
            first_token=tuple(TokenProbability(str(t["token"]), _probability(t["logprob"])) for t in first),
        )
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise ModelFailed(f"the reply has not the form of a chat completion ({type(error).__name__})") from error


def whole(text: str) -> str:
    """Half a character (a lone surrogate) fits in no file: it becomes U+FFFD, the sign for what cannot be read."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _probability(logarithm: float) -> float:
    """Above 0 a server rounds; far below, the power is 0."""
    return min(1.0, math.exp(min(0.0, float(logarithm))))


def _pause(number: int) -> float:
    """Twice as long each time, and never the same for two callers."""
    longest: float = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** (number - 1))
    return longest * random.uniform(0.5, 1.0)
