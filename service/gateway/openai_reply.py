"""What was given, as OpenAI's chat completion: the whole object, or its chunks."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NotRequired

from typing_extensions import TypedDict

from service.domain.conversation import ToolCall
from service.domain.errors import GatewayError
from service.gateway import sse
from service.gateway.answering import Given
from service.gateway.dialect import failed
from service.gateway.enquiring import CHAT
from service.gateway.replies import ChatReply, UsageReply

COMPLETION = "chatcmpl-"


class PromptDetails(TypedDict):
    """How much of the prompts came from the engine's prefix cache."""

    cached_tokens: int


class UsageObject(TypedDict):
    """Tokens of every model call that the answer took."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails


class FunctionObject(TypedDict):
    """A function to call; `arguments` is JSON as text."""

    name: str
    arguments: str


class ToolCallObject(TypedDict):
    """A tool call; `index` in streams only."""

    index: NotRequired[int]
    id: str
    type: str
    function: FunctionObject


class MessageObject(TypedDict):
    """The assistant's turn."""

    role: str
    content: str | None
    refusal: None
    annotations: list[dict[str, Any]]
    tool_calls: NotRequired[list[ToolCallObject]]


class ChoiceObject(TypedDict):
    """The one choice."""

    index: int
    message: MessageObject
    logprobs: None
    finish_reason: str


class CompletionReply(TypedDict):
    """The standard object, with POST /chat's beside it."""

    id: str
    object: str
    created: int
    model: str
    choices: list[ChoiceObject]
    usage: UsageObject
    clinalign: ChatReply


def completion_reply(given: Given, *, parallel: bool) -> CompletionReply:
    """The whole object. Where the caller takes one tool call at a time (`parallel` false), the first is given."""
    reply, calls = given.reply, _calls(given.tool_calls, parallel=parallel)
    said = reply["answer"] or None
    message: MessageObject = {"role": "assistant", "content": said, "refusal": None, "annotations": []}
    if calls:
        message["tool_calls"] = calls
    else:
        message["content"] = reply["answer"]
    return {
        "id": completion_id(reply["id"]),
        "object": "chat.completion",
        "created": reply["created"],
        "model": reply["model"],
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": given.finish_reason}],
        "usage": usage_object(reply["usage"]),
        "clinalign": reply,
    }


def completion_id(chat_id: str) -> str:
    """OpenAI's form of an enquiry's id."""
    return COMPLETION + chat_id.removeprefix(CHAT)


@dataclass(frozen=True, slots=True)
class Chunks:
    """Writes the chunks of one stream."""

    chat_id: str
    model: str
    usage: bool
    parallel: bool
    empty_deltas: bool = False
    created: int = field(default_factory=lambda: int(time.time()))

    def opening(self) -> tuple[bytes]:
        """The first: who speaks."""
        return (self._chunk({"role": "assistant", "content": "", "refusal": None}),)

    def silence(self) -> bytes:
        """A comment, which clients skip, or a delta that says nothing."""
        return self._chunk({"content": ""}) if self.empty_deltas else sse.comment("checking")

    def failed(self, error: GatewayError) -> bytes:
        """The error's object."""
        return failed(error)

    def answer(self, given: Given) -> Iterator[bytes]:
        """The rest: released text, tool calls, the end, the usage if it was asked for."""
        yield from sse.deltas(given.reply["answer"], lambda word: self._chunk({"content": word}))
        for index, call in enumerate(_calls(given.tool_calls, parallel=self.parallel)):
            yield self._chunk({"tool_calls": [{"index": index, **call}]})
        yield self._chunk({}, finish_reason=given.finish_reason, clinalign=given.reply)
        if self.usage:
            yield sse.event({**self._head(), "choices": [], "usage": usage_object(given.reply["usage"])})
        yield sse.DONE

    def _chunk(self, delta: dict[str, Any], *, finish_reason: str | None = None, **more: object) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        usage = {"usage": None} if self.usage else {}
        return sse.event({**self._head(), "choices": [choice], **usage, **more})

    def _head(self) -> dict[str, object]:
        return {
            "id": completion_id(self.chat_id),
            "object": "chat.completion.chunk",
            "created": self.created,
            "model": self.model,
        }


def _calls(calls: Sequence[ToolCall], *, parallel: bool) -> list[ToolCallObject]:
    return [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for call in (calls if parallel else calls[:1])
    ]


def usage_object(usage: UsageReply) -> UsageObject:
    """OpenAI's form of the tokens."""
    return {
        "prompt_tokens": usage["prompt_tokens"],
        "completion_tokens": usage["completion_tokens"],
        "total_tokens": usage["total_tokens"],
        "prompt_tokens_details": {"cached_tokens": usage["cached_tokens"]},
    }
