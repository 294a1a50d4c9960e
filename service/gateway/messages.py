"""Messages as clients send them become the conversation that the pipeline reads."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from service.domain.conversation import Conversation, Message, Role, ToolCall
from service.domain.errors import InvalidRequest
from service.gateway.reading import Body

MAX_MESSAGES = 1000
_TEXT_KINDS = {"text": "text", "refusal": "refusal"}
_UNSEEN = {"image_url": "images", "input_audio": "sound", "file": "files"}


def wrong(at: str, said: str) -> PydanticCustomError:
    """An error of a validator that points further in than its field: `[1].type`."""
    return PydanticCustomError("wrong", "{said}", {"at": at, "said": said})


def _text(content: object) -> object:
    """A list of text parts as one text."""
    if not isinstance(content, list):
        return content
    return "\n".join(_part(part, at=f"[{index}]") for index, part in enumerate(content))


def _part(part: object, *, at: str) -> str:
    match part:
        case {"type": "text" | "refusal" as kind, **rest} if isinstance(rest.get(_TEXT_KINDS[kind]), str):
            return str(rest[_TEXT_KINDS[kind]])
        case {"type": "image_url" | "input_audio" | "file" as kind}:
            raise wrong(f"{at}.type", f"the model cannot take {_UNSEEN[kind]}: send text")
        case {"type": "text" | "refusal"}:
            raise wrong(f"{at}.text", "should be a string")
        case _:
            raise wrong(f"{at}.type", "should be 'text'")


_PARTS = {
    "type": "array",
    "items": {"type": "object", "properties": {"type": {"const": "text"}, "text": {"type": "string"}}},
}
Content = Annotated[
    str | None,
    BeforeValidator(_text),
    WithJsonSchema({"anyOf": [{"type": "string"}, _PARTS, {"type": "null"}]}),
]


class CalledFunction(Body):
    """The function of a tool call; `arguments` is JSON as text."""

    name: str = Field(min_length=1, max_length=64)
    arguments: str
    parsed_arguments: Any = None


class ToolCallBody(Body):
    """A tool call that an assistant made earlier."""

    id: str = Field(min_length=1, max_length=256)
    type: Literal["function"] = "function"
    function: CalledFunction
    index: int | None = None


class MessageBody(Body):
    """One turn. Fields that OpenAI's own replies carry, or its clients add to them, are taken back and say nothing."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Content = None
    name: str | None = None
    tool_calls: list[ToolCallBody] | None = Field(default=None, max_length=128)
    tool_call_id: str | None = None
    refusal: str | None = None
    annotations: list[Any] | None = None
    audio: None = None
    function_call: None = None
    parsed: Any = None


Messages = Annotated[list[MessageBody], Field(min_length=1, max_length=MAX_MESSAGES)]


def conversation_of(messages: Sequence[MessageBody], *, at: str = "messages") -> Conversation:
    """The conversation; `at` is the path of the list in the body.

    Raises:
        InvalidRequest: a turn lacks what its role needs, or the last one is not a user's or a tool's.

    """
    called: set[str] = set()
    for index, message in enumerate(messages):
        if fault := _fault(message, called=called):
            field, said = fault
            raise InvalidRequest(f"{at}[{index}].{field}: {said}", param=f"{at}[{index}].{field}")
        called |= {call.id for call in message.tool_calls or ()}
    _check_order(messages, at=at)
    return Conversation(tuple(_message(message) for message in messages))


def _fault(message: MessageBody, *, called: set[str]) -> tuple[str, str] | None:
    """The field of a turn that is wrong, and how."""
    match message.role:
        case "user" | "system" | "developer" | "tool" if message.tool_calls:
            return "tool_calls", "only an assistant's message may call tools"
        case "user" | "system" | "developer" | "assistant" if message.tool_call_id is not None:
            return "tool_call_id", "only a tool's message answers a call"
        case _:
            return _lack(message, called=called)


def _lack(message: MessageBody, *, called: set[str]) -> tuple[str, str] | None:
    """The field of a turn that its role needs and that is not there."""
    match message.role:
        case "user" if not (message.content or "").strip():
            return "content", "a user's message must not be empty"
        case "assistant" if message.content is None and not message.tool_calls:
            return "content", "an assistant's message needs content or tool_calls"
        case "tool" if message.tool_call_id is None:
            return "tool_call_id", "is missing"
        case "tool" if message.tool_call_id not in called:
            return "tool_call_id", "no assistant's message before it makes this call"
        case _:
            return None


def _check_order(messages: Sequence[MessageBody], *, at: str) -> None:
    if all(message.role != "user" for message in messages):
        raise InvalidRequest(f"{at}: no message has the role 'user'", param=at)
    last = max(i for i, message in enumerate(messages) if message.role not in {"system", "developer"})
    if messages[last].role == "assistant":
        raise InvalidRequest(
            f"{at}[{last}].role: the last message must be the user's or a tool's", param=f"{at}[{last}].role"
        )


def _message(body: MessageBody) -> Message:
    calls = (ToolCall(call.id, call.function.name, call.function.arguments) for call in body.tool_calls or ())
    return Message(Role(body.role), body.content or "", tuple(calls), body.tool_call_id)
