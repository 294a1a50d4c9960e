"""The chunks of a streamed completion, put together."""

import math
from collections.abc import Callable, Iterable

from pydantic import ValidationError

from service.domain.completion import Completion, TokenProbability, Usage
from service.domain.conversation import ToolCall
from service.domain.errors import EngineGarbled
from service.engines.chunk import Alternative, CallPart, Choice, Chunk, Logprobs
from service.engines.failure import failure_within

_DONE = "[DONE]"
# What vLLM says of an answer that it gave up itself.
_BROKEN_OFF = frozenset({"abort", "error"})


class Reply:
    """Takes the data of one event after another; `on_text` hears each piece of text as it comes."""

    def __init__(self, on_text: Callable[[str], None] | None = None) -> None:
        self._on_text = on_text
        self._pieces: list[str] = []
        self._calls: dict[int, ToolCall] = {}
        self._finish_reason: str | None = None
        self._usage: Usage | None = None
        self._first_token: tuple[TokenProbability, ...] = ()

    def take(self, data: str) -> bool:
        """Whether this was the last event.

        Raises:
            EngineError: the data is an error object, or cannot be read.

        """
        if data.strip() == _DONE:
            return True
        try:
            chunk = Chunk.model_validate_json(data)
        except ValidationError:
            raise EngineGarbled("a chunk of the engine's stream cannot be read") from None  # the cause holds its text
        if chunk.error is not None:
            raise failure_within(chunk.error)
        self._take_usage(chunk)
        for choice in chunk.choices:
            if choice.index == 0:
                self._take_choice(choice)
        return False

    @property
    def spent(self) -> Usage:
        """The tokens of a call that ends before its reply does, as far as its server has told them."""
        return (self._usage or Usage()) + Usage(incomplete_calls=1)

    def completion(self) -> Completion:
        """All that came.

        Raises:
            EngineGarbled: the stream ended without saying why, or because the server gave up.

        """
        if self._finish_reason is None or self._finish_reason in _BROKEN_OFF:
            raise EngineGarbled("the engine's stream broke off before the answer's end")
        return Completion(
            text="".join(self._pieces),
            finish_reason=self._finish_reason,
            usage=self.spent if self._usage is None else self._usage,
            tool_calls=tuple(call for _, call in sorted(self._calls.items())),
            first_token=self._first_token,
        )

    def _take_usage(self, chunk: Chunk) -> None:
        if (report := chunk.usage) is None:
            return
        details = report.prompt_tokens_details
        cached = details.cached_tokens if details else None
        if cached is None and chunk.timings is not None:
            cached = chunk.timings.cache_n
        self._usage = Usage(report.prompt_tokens, report.completion_tokens or 0, cached or 0)

    def _take_choice(self, choice: Choice) -> None:
        if choice.logprobs is not None and not self._first_token:
            self._first_token = _first_token(choice.logprobs)
        for part in choice.delta.tool_calls or ():
            self._take_call(part)
        self._finish_reason = choice.finish_reason or self._finish_reason
        if text := choice.delta.content:
            self._pieces.append(text)
            if self._on_text is not None:
                self._on_text(text)

    def _take_call(self, part: CallPart) -> None:
        so_far = self._calls.get(part.index, ToolCall("", "", ""))
        self._calls[part.index] = ToolCall(
            id=so_far.id or part.id or "",
            name=so_far.name + (part.function.name or ""),
            arguments=so_far.arguments + (part.function.arguments or ""),
        )


def _first_token(logprobs: Logprobs) -> tuple[TokenProbability, ...]:
    first = next(iter(logprobs.content or ()), None)
    return tuple(_probabilities(first.top_logprobs or ())) if first else ()


def _probabilities(alternatives: Iterable[Alternative]) -> Iterable[TokenProbability]:
    for alternative in alternatives:
        if alternative.logprob is not None and not math.isnan(alternative.logprob):
            yield TokenProbability(alternative.token, math.exp(min(0.0, alternative.logprob)))
