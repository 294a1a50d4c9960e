"""What was given, as the events of OpenAI's response: each item is opened, told and closed, and then the whole."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from service.domain.errors import GatewayError
from service.gateway import sse
from service.gateway.answering import Given
from service.gateway.errors import error_reply
from service.gateway.responses_reply import Json, ResponseReply, finished


@dataclass(frozen=True, slots=True)
class ResponseEvents:
    """Writes the events of one stream; they are numbered from 0."""

    begun: ResponseReply
    items: tuple[int, ...]
    empty_deltas: bool = False
    numbers: Iterator[int] = field(default_factory=count)

    def opening(self) -> Iterator[bytes]:
        """The answer is being made."""
        yield self._event("response.created", response=self.begun)
        yield self._event("response.in_progress", response=self.begun)

    def silence(self) -> bytes:
        """A comment, which clients skip, or once more that the answer is being made."""
        if self.empty_deltas:
            return self._event("response.in_progress", response=self.begun)
        return sse.comment("checking")

    def answer(self, given: Given) -> Iterator[bytes]:
        """Every item, and the whole object."""
        whole = finished(self.begun, given, items=self.items)
        for index, item in enumerate(whole["output"]):
            yield from self._item(item, index)
        yield self._event(f"response.{whole['status']}", response=whole)

    def failed(self, error: GatewayError) -> bytes:
        """The error as OpenAI's event, and as the object that clients raise."""
        said = error_reply(error)["error"]
        named = {"code": said["code"], "message": said["message"], "param": said["param"]}
        return self._event("error", **named, error=said)

    def _item(self, item: Json, index: int) -> Iterator[bytes]:
        empty: Json = {"content": []} if item["type"] == "message" else {"arguments": ""}
        opened = {**item, **empty, "status": "in_progress"}
        yield self._event("response.output_item.added", output_index=index, item=opened)
        at = {"item_id": item["id"], "output_index": index}
        yield from self._text(item["content"][0], at) if item["type"] == "message" else self._call(item, at)
        yield self._event("response.output_item.done", output_index=index, item=item)

    def _text(self, part: Json, at: Json) -> Iterator[bytes]:
        at = {**at, "content_index": 0}
        yield self._event("response.content_part.added", **at, part={**part, "text": ""})
        yield from sse.deltas(
            part["text"], lambda word: self._event("response.output_text.delta", **at, delta=word, logprobs=[])
        )
        yield self._event("response.output_text.done", **at, text=part["text"], logprobs=[])
        yield self._event("response.content_part.done", **at, part=part)

    def _call(self, item: Json, at: Json) -> Iterator[bytes]:
        said = item["arguments"]
        yield self._event("response.function_call_arguments.delta", **at, delta=said)
        yield self._event("response.function_call_arguments.done", **at, name=item["name"], arguments=said)

    def _event(self, kind: str, **said: object) -> bytes:
        return sse.event({"type": kind, "sequence_number": next(self.numbers), **said}, name=kind)
