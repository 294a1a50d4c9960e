"""Two engines that serve a checkpoint, asked in one way: greedy replies, first tokens, and replies forced on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp

from service.domain.completion import TokenProbability
from training.agreement.asks import Ask
from training.models import read_reply

_ALTERNATIVES = 20


class EngineSaid(Exception):
    """An engine answered something else than what was asked for; the message has its status."""


@dataclass(frozen=True, slots=True)
class Said:
    """A greedy reply, and the likeliest first tokens."""

    text: str
    first: tuple[TokenProbability, ...]


class Served(Protocol):
    """A server of a checkpoint."""

    @property
    def name(self) -> str:
        """Which engine, in which precision."""
        ...

    async def reply(self, ask: Ask) -> Said:
        """Its greedy reply, by way of its own chat template and tokenizer."""
        ...

    async def forced(self, prompt: Sequence[int], reply: Sequence[int]) -> list[bool]:
        """For each token of the reply: whether it is the one the engine would have said after those before it."""
        ...


@dataclass(frozen=True, slots=True)
class Vllm:
    """A vLLM at `url`, which ends in /v1."""

    name: str
    url: str
    model: str
    session: aiohttp.ClientSession

    async def reply(self, ask: Ask) -> Said:
        """As `Served`."""
        return await _chat(self.session, f"{self.url}/chat/completions", ask, model=self.model)

    async def forced(self, prompt: Sequence[int], reply: Sequence[int]) -> list[bool]:
        """From the ranks that it gives to the tokens of a prompt."""
        body = {"model": self.model, "prompt": [*prompt, *reply], "max_tokens": 1, "prompt_logprobs": 1}
        answer = await _post(self.session, f"{self.url}/completions", {**body, "temperature": 0.0})
        told = answer["choices"][0]["prompt_logprobs"][len(prompt) :]
        return [ranks[str(token)]["rank"] == 1 for token, ranks in zip(reply, told, strict=True)]


@dataclass(frozen=True, slots=True)
class LlamaCpp:
    """A llama.cpp server at `url`, without /v1."""

    name: str
    url: str
    session: aiohttp.ClientSession

    async def reply(self, ask: Ask) -> Said:
        """As `Served`."""
        return await _chat(self.session, f"{self.url}/v1/chat/completions", ask, model="any")

    async def forced(self, prompt: Sequence[int], reply: Sequence[int]) -> list[bool]:
        """One token after another: it gives no ranks within a prompt, but reads the rest from its cache."""
        found = []
        for at, token in enumerate(reply):
            body = {"prompt": [*prompt, *reply[:at]], "n_predict": 1, "temperature": 0.0, "return_tokens": True}
            answer = await _post(self.session, f"{self.url}/completion", {**body, "cache_prompt": True})
            # The end of a turn is not among the tokens it returns.
            found.append(answer["tokens"] == [token] or (not answer["tokens"] and answer["stop_type"] == "eos"))
        return found


async def _chat(session: aiohttp.ClientSession, url: str, ask: Ask, *, model: str) -> Said:
    body = {"model": model, "messages": ask.body(), "max_tokens": ask.most, "temperature": 0.0}
    answer = await _post(session, url, {**body, "logprobs": True, "top_logprobs": _ALTERNATIVES})
    reply = read_reply(answer)
    return Said(reply.text, reply.first_token)


async def _post(session: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> dict[str, Any]:
    async with session.post(url, json=body) as answer:
        if answer.status != 200:
            raise EngineSaid(f"{url}: status {answer.status}")
        read: dict[str, Any] = await answer.json(content_type=None)
        return read
