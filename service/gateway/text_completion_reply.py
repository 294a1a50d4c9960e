"""What was given, as OpenAI's text completion: the whole object, or its chunks."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from typing_extensions import TypedDict

from service.domain.errors import GatewayError
from service.gateway import sse
from service.gateway.answering import Given
from service.gateway.dialect import failed
from service.gateway.enquiring import CHAT
from service.gateway.openai_reply import UsageObject, usage_object
from service.gateway.replies import ChatReply

TEXT_COMPLETION = "cmpl-"


class TextChoice(TypedDict):
    """The one choice."""

    text: str
    index: int
    logprobs: None
    finish_reason: str | None


class TextCompletionReply(TypedDict):
    """The standard object, with POST /chat's beside it."""

    id: str
    object: str
    created: int
    model: str
    choices: list[TextChoice]
    usage: UsageObject
    clinalign: ChatReply


def text_completion_reply(given: Given) -> TextCompletionReply:
    """The whole object."""
    reply = given.reply
    return {
        "id": _id(reply["id"]),
        "object": "text_completion",
        "created": reply["created"],
        "model": reply["model"],
        "choices": [_choice(reply["answer"], given.finish_reason)],
        "usage": usage_object(reply["usage"]),
        "clinalign": reply,
    }


@dataclass(frozen=True, slots=True)
class TextChunks:
    """Writes the chunks of one stream."""

    chat_id: str
    model: str
    usage: bool
    empty_deltas: bool = False
    created: int = field(default_factory=lambda: int(time.time()))

    def opening(self) -> tuple[bytes]:
        """An empty piece, so that the stream is seen to be open."""
        return (self._chunk(""),)

    def silence(self) -> bytes:
        """A comment, which clients skip, or a chunk that says nothing."""
        return self._chunk("") if self.empty_deltas else sse.comment("checking")

    def answer(self, given: Given) -> Iterator[bytes]:
        """The released text, the end, the usage if it was asked for."""
        yield from sse.deltas(given.reply["answer"], self._chunk)
        yield self._chunk("", finish_reason=given.finish_reason, clinalign=given.reply)
        if self.usage:
            yield sse.event({**self._head(), "choices": [], "usage": usage_object(given.reply["usage"])})
        yield sse.DONE

    def failed(self, error: GatewayError) -> bytes:
        """The error's object."""
        return failed(error)

    def _chunk(self, text: str, *, finish_reason: str | None = None, **more: object) -> bytes:
        usage = {"usage": None} if self.usage else {}
        return sse.event({**self._head(), "choices": [_choice(text, finish_reason)], **usage, **more})

    def _head(self) -> dict[str, object]:
        head = {"id": _id(self.chat_id), "object": "text_completion", "created": self.created, "model": self.model}
        return dict(head)


def _choice(text: str, finish_reason: str | None) -> TextChoice:
    return {"text": text, "index": 0, "logprobs": None, "finish_reason": finish_reason}


def _id(chat_id: str) -> str:
    return TEXT_COMPLETION + chat_id.removeprefix(CHAT)
