"""What was given, as OpenAI's response: its items, and the object around them."""

from collections.abc import Sequence
from typing import Any

from typing_extensions import TypedDict

from service.domain.conversation import ToolCall
from service.gateway.answering import Given
from service.gateway.enquiring import CHAT
from service.gateway.replies import ChatReply, UsageReply
from service.gateway.responses_body import FunctionTool, ResponsesBody
from service.gateway.shaping import CHOICES

RESPONSE = "resp_"
# What OpenAI's interface means by a sampling parameter that is not sent.
_UNCHANGED = 1.0
# Why a response is not complete, by the finish reason of the answer; any other is complete.
_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}

Json = dict[str, Any]


class ResponseReply(TypedDict):
    """The standard object, with POST /chat's beside it. Nothing of it is stored."""

    id: str
    object: str
    created_at: int
    completed_at: int | None
    status: str
    background: bool
    error: None
    incomplete_details: dict[str, str] | None
    instructions: str | None
    max_output_tokens: int | None
    max_tool_calls: None
    metadata: dict[str, str]
    model: str
    output: list[Json]
    parallel_tool_calls: bool
    presence_penalty: float
    frequency_penalty: float
    previous_response_id: None
    prompt_cache_key: str | None
    reasoning: dict[str, str | None]
    safety_identifier: str | None
    service_tier: str
    store: bool
    temperature: float
    text: Json
    tool_choice: Json | str
    tools: list[Json]
    top_logprobs: int
    top_p: float
    truncation: str
    usage: Json | None
    user: str | None
    clinalign: ChatReply | None


def begun(body: ResponsesBody, *, chat_id: str, created: int, model: str) -> ResponseReply:
    """The object of an answer that is being made."""
    return {
        "id": RESPONSE + chat_id.removeprefix(CHAT),
        "object": "response",
        "created_at": created,
        "completed_at": None,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": body.instructions,
        "max_output_tokens": body.max_output_tokens,
        "max_tool_calls": None,
        "metadata": body.metadata or {},
        "model": model,
        "output": [],
        "parallel_tool_calls": body.parallel_tool_calls is not False,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "previous_response_id": None,
        "prompt_cache_key": body.prompt_cache_key,
        "reasoning": {"effort": body.reasoning.effort if body.reasoning else None, "summary": None},
        "safety_identifier": body.safety_identifier,
        "service_tier": "default",
        "store": False,
        "temperature": _UNCHANGED if body.temperature is None else body.temperature,
        "text": {"format": _format(body)},
        "tool_choice": _choice(body.tool_choice),
        "tools": [_tool(tool) for tool in body.tools or ()],
        "top_logprobs": 0,
        "top_p": _UNCHANGED if body.top_p is None else body.top_p,
        "truncation": "auto",
        "usage": None,
        "user": body.user,
        "clinalign": None,
    }


def finished(begun_as: ResponseReply, given: Given, *, items: Sequence[int]) -> ResponseReply:
    """The whole object. `items` are the input's items that the conversation's turns began with."""
    reason, reply = _INCOMPLETE.get(given.finish_reason), located(given.reply, items)
    return {
        **begun_as,
        "completed_at": None if reason else reply["created"],
        "status": "incomplete" if reason else "completed",
        "incomplete_details": {"reason": reason} if reason else None,
        "model": reply["model"],
        "output": _items(given, parallel=begun_as["parallel_tool_calls"], whole=reason is None),
        "usage": _usage(reply["usage"]),
        "clinalign": reply,
    }


def located(reply: ChatReply, items: Sequence[int]) -> ChatReply:
    """With every red flag's evidence in the item that holds it, as the caller counts them."""
    flags = [
        {**flag, "evidence": {**flag["evidence"], "message": items[flag["evidence"]["message"]]}}
        for flag in reply["red_flags"]
    ]
    return {**reply, "red_flags": flags}  # type: ignore[typeddict-item]


def _items(given: Given, *, parallel: bool, whole: bool) -> list[Json]:
    """The message, unless there are only calls to make, and the calls."""
    name = given.reply["id"].removeprefix(CHAT)
    calls = given.tool_calls if parallel else given.tool_calls[:1]
    text = given.reply["answer"]
    messages = [_message(text, name=name, whole=whole)] if text or not calls else []
    return [*messages, *(_call(call, name=f"{name}_{index}") for index, call in enumerate(calls))]


def _message(text: str, *, name: str, whole: bool) -> Json:
    return {
        "id": f"msg_{name}",
        "type": "message",
        "role": "assistant",
        "status": "completed" if whole else "incomplete",
        "content": [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}],
    }


def _call(call: ToolCall, *, name: str) -> Json:
    said = {"call_id": call.id, "name": call.name, "arguments": call.arguments}
    return {"id": f"fc_{name}", "type": "function_call", "status": "completed", **said}


def _usage(usage: UsageReply) -> Json:
    return {
        "input_tokens": usage["prompt_tokens"],
        "input_tokens_details": {"cached_tokens": usage["cached_tokens"], "cache_write_tokens": 0},
        "output_tokens": usage["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": usage["total_tokens"],
    }


def _format(body: ResponsesBody) -> Json:
    wanted = body.text.format
    return {"type": "text"} if wanted is None else wanted.model_dump(by_alias=True, exclude_none=True)


def _choice(choice: str | None) -> Json | str:
    if choice is None or choice in CHOICES:
        return choice or "auto"
    return {"type": "function", "name": choice}


def _tool(tool: FunctionTool) -> Json:
    # All are named, also those that were not given: clients read them as what the server understood.
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": tool.strict,
    }
