"""An ask as the body of an OpenAI chat completion, always streamed."""

from collections.abc import Mapping

import orjson

from service.domain.completion import Ask
from service.domain.conversation import Message, Role
from service.domain.enquiry import Sampling, Shape, Tool
from service.engines.endpoint import Json

MAX_TOP_LOGPROBS = 20
_TOOL_CHOICES = frozenset({"auto", "none", "required"})


def completion_body(
    ask: Ask, *, model: str, extra: Mapping[str, Json], vllm: bool = False, thinks: bool = False
) -> bytes:
    """The JSON to send; `extra` gives way to every field that the ask sets.

    vLLM keeps its prefix cache apart by `cache_salt`, and tells its tokens with every chunk, so that they are known of
    a call that is cut. What `thinks` is told how long, if the ask says so.
    """
    body: dict[str, object] = {
        **extra,
        "model": model,
        "messages": [_message(message) for message in ask.prompt.messages],
        "stream": True,
        "stream_options": {"include_usage": True, **({"continuous_usage_stats": True} if vllm else {})},
        **_sampling(ask.sampling),
        **_shape(ask.prompt.shape),
        **(_reasoning(ask.sampling.reasoning_effort, extra) if thinks else {}),
    }
    if ask.top_probabilities > 0:
        body |= {"logprobs": True, "top_logprobs": min(ask.top_probabilities, MAX_TOP_LOGPROBS)}
    if vllm and ask.cache_salt:
        body["cache_salt"] = ask.cache_salt
    return orjson.dumps(body)


def _message(message: Message) -> dict[str, object]:
    # The prompts merge developer text into the system message; a server may not know the role.
    role = Role.SYSTEM if message.role is Role.DEVELOPER else message.role
    said: dict[str, object] = {"role": role.value, "content": message.content}
    if message.tool_calls:
        said["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        said["tool_call_id"] = message.tool_call_id
    return said


def _sampling(sampling: Sampling) -> dict[str, object]:
    chosen = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        "seed": sampling.seed,
        "stop": list(sampling.stop) or None,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
    }
    return {name: value for name, value in chosen.items() if value is not None}


def _reasoning(effort: str | None, extra: Mapping[str, Json]) -> dict[str, object]:
    """Some chat templates go by the effort, others by a switch."""
    if effort is None:
        return {}
    kwargs = extra.get("chat_template_kwargs")
    thinking = {**(kwargs if isinstance(kwargs, dict) else {}), "enable_thinking": effort != "none"}
    return {"reasoning_effort": effort, "chat_template_kwargs": thinking}


def _shape(shape: Shape) -> dict[str, object]:
    asked: dict[str, object] = {}
    if shape.tools:
        asked["tools"] = [_tool(tool) for tool in shape.tools]
        if shape.tool_choice is not None:
            asked["tool_choice"] = _tool_choice(shape.tool_choice)
    if shape.schema is not None:
        schema = {"name": shape.schema_name, "schema": orjson.Fragment(shape.schema), "strict": True}
        asked["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif shape.json_object:
        asked["response_format"] = {"type": "json_object"}
    return asked


def _tool(tool: Tool) -> dict[str, object]:
    function = {"name": tool.name, "description": tool.description, "parameters": orjson.Fragment(tool.parameters)}
    return {"type": "function", "function": function}


def _tool_choice(choice: str) -> object:
    """One of OpenAI's words, or else the name of the function to call."""
    return choice if choice in _TOOL_CHOICES else {"type": "function", "function": {"name": choice}}
