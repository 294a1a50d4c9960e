"""The `input` of POST /v1/responses: a text, or items, become the turns of a conversation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, WithJsonSchema

from service.domain.conversation import Conversation, Message, Role
from service.domain.errors import InvalidRequest
from service.gateway.messages import MAX_MESSAGES, CalledFunction, MessageBody, ToolCallBody, wrong
from service.gateway.reading import Body

_TEXTS = {"input_text": "text", "output_text": "text", "text": "text", "refusal": "refusal"}
_UNSEEN = {"input_image": "images", "input_audio": "sound", "input_file": "files"}


def _text(content: object) -> object:
    """A list of text parts as one text."""
    if not isinstance(content, list):
        return content
    return "\n".join(_part(part, at=f"[{index}]") for index, part in enumerate(content))


def _part(part: object, *, at: str) -> str:
    kind = part.get("type") if isinstance(part, dict) else None
    if not isinstance(part, dict) or not isinstance(kind, str):
        raise wrong(f"{at}.type", "should be 'input_text' or 'output_text'")
    if kind in _UNSEEN:
        raise wrong(f"{at}.type", f"the model cannot take {_UNSEEN[kind]}: send text")
    if kind not in _TEXTS:
        raise wrong(f"{at}.type", "should be 'input_text' or 'output_text'")
    if not isinstance(text := part.get(_TEXTS[kind]), str):
        raise wrong(f"{at}.{_TEXTS[kind]}", "should be a string")
    return text


_PARTS = {
    "type": "array",
    "items": {"type": "object", "properties": {"type": {"enum": ["input_text", "output_text"]}, "text": {}}},
}
Text = Annotated[str, BeforeValidator(_text), WithJsonSchema({"anyOf": [{"type": "string"}, _PARTS]})]


class Item(Body):
    """What every item may carry: fields that our own replies hold are taken back and say nothing here."""

    id: str | None = None
    status: Literal["in_progress", "completed", "incomplete"] | None = None


class MessageItem(Item):
    """Somebody's turn."""

    type: Literal["message"] = "message"
    role: Literal["user", "assistant", "system", "developer"]
    content: Text
    phase: str | None = None


class CallItem(Item):
    """A call that an assistant made; `arguments` is JSON as text."""

    type: Literal["function_call"]
    call_id: str = Field(min_length=1, max_length=256)
    name: str = Field(min_length=1, max_length=64)
    arguments: str


class CallOutputItem(Item):
    """What a call gave."""

    type: Literal["function_call_output"]
    call_id: str = Field(min_length=1, max_length=256)
    output: Text


# Tags in brackets are left out of an error's path: callers know the items by their index.
_TAGS = {
    "message": "<message>",
    "function_call": "<function_call>",
    "function_call_output": "<function_call_output>",
}


def _tag(item: object) -> str | None:
    kind = item.get("type", "message") if isinstance(item, dict) else None
    return _TAGS.get(kind) if isinstance(kind, str) else None


InputItem = Annotated[
    Annotated[MessageItem, Tag(_TAGS["message"])]
    | Annotated[CallItem, Tag(_TAGS["function_call"])]
    | Annotated[CallOutputItem, Tag(_TAGS["function_call_output"])],
    Discriminator(
        _tag,
        custom_error_type="wrong",
        custom_error_message="should be 'message', 'function_call' or 'function_call_output'",
        custom_error_context={"at": ".type"},
    ),
]


def _listed(value: object) -> object:
    return [{"role": "user", "content": value}] if isinstance(value, str) else value


_ITEMS: dict[str, Any] = {"type": "array", "items": {"type": "object"}, "minItems": 1, "maxItems": MAX_MESSAGES}
Items = Annotated[
    Annotated[list[InputItem], Field(min_length=1, max_length=MAX_MESSAGES)],
    BeforeValidator(_listed),
    WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1}, _ITEMS]}),
]


def turns_of(items: Sequence[MessageItem | CallItem | CallOutputItem]) -> list[MessageBody]:
    """One turn an item, so that an error names the item it is in.

    Raises:
        InvalidRequest: the output of a call that no item before it makes.

    """
    called: set[str] = set()
    turns = []
    for index, item in enumerate(items):
        match item:
            case MessageItem():
                turns.append(MessageBody(role=item.role, content=item.content))
            case CallItem():
                called.add(item.call_id)
                call = ToolCallBody(id=item.call_id, function=CalledFunction(name=item.name, arguments=item.arguments))
                turns.append(MessageBody(role="assistant", tool_calls=[call]))
            case CallOutputItem():
                if item.call_id not in called:
                    at = f"input[{index}].call_id"
                    raise InvalidRequest(f"{at}: no item before it makes this call", param=at)
                turns.append(MessageBody(role="tool", content=item.output, tool_call_id=item.call_id))
    return turns


@dataclass(frozen=True, slots=True)
class Joined:
    """A conversation, and the index of the item that each of its turns began with."""

    conversation: Conversation
    items: tuple[int, ...]


def joined(conversation: Conversation, *, instructions: str | None) -> Joined:
    """With the instructions first, and an assistant's words and calls in one turn, as chat templates have them."""
    turns = list(_together(conversation.messages))
    if instructions:
        turns.insert(0, (0, Message(Role.SYSTEM, instructions)))
    return Joined(Conversation(tuple(message for _, message in turns)), tuple(index for index, _ in turns))


def _together(messages: Sequence[Message]) -> Iterator[tuple[int, Message]]:
    held: tuple[int, Message] | None = None
    for index, message in enumerate(messages):
        if held is not None and message.tool_calls and message.role is held[1].role and not message.content:
            held = (held[0], replace(held[1], tool_calls=(*held[1].tool_calls, *message.tool_calls)))
            continue
        if held is not None:
            yield held
        held = (index, message)
    if held is not None:
        yield held
