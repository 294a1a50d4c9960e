"""A whole good body of every route that takes one, with the reader that the route gives it to."""

from collections.abc import Callable
from typing import Any

from service.domain.enquiry import Tenant
from service.gateway import embeddings, openai_body, responses_body, text_completion_body
from service.gateway.bodies import ChatBody, CheckBody, ScreenBody, SearchBody
from service.gateway.desk import Limits
from service.gateway.enquiring import enquire
from service.gateway.messages import conversation_of
from service.gateway.reading import checked
from service.gateway.responses_input import joined, turns_of

TURNS: list[Any] = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": [{"type": "text", "text": "A cough."}]},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    },
    {"role": "tool", "tool_call_id": "a", "content": "1"},
]
OPTIONS = {"audience": "patient", "options": {"max_revisions": 1, "deadline_ms": 100}}
FUNCTION = {"name": "f", "description": "d", "parameters": {"type": "object"}}
SCHEMA = {"name": "n", "schema": {"type": "object"}, "strict": True}
SAMPLING = {"model": "m", "temperature": 1.0, "top_p": 0.5, "stream": True, "clinalign": OPTIONS}
CHAT = {**OPTIONS, "messages": TURNS, "stream": False, "provisional": True}
COMPLETION = {
    **SAMPLING,
    "messages": TURNS,
    "stop": ["a"],
    "seed": 1,
    "stream_options": {"include_usage": True},
    "tools": [{"type": "function", "function": FUNCTION}],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "response_format": {"type": "json_schema", "json_schema": SCHEMA},
    "metadata": {"a": "b"},
    "reasoning_effort": "low",
    "logprobs": False,
    "modalities": ["text"],
}
RESPONSES = {
    **SAMPLING,
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "A cough."}]},
        {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "a", "output": "1"},
    ],
    "instructions": "Be kind.",
    "tools": [{"type": "function", **FUNCTION}],
    "tool_choice": {"type": "function", "name": "f"},
    "text": {"format": {"type": "json_schema", **SCHEMA}, "verbosity": "medium"},
    "reasoning": {"effort": "low"},
    "include": ["reasoning.encrypted_content"],
    "stream_options": {"include_obfuscation": False},
}


def read_chat(body: dict[str, Any]) -> None:
    """As POST /chat does."""
    chat = checked(body, ChatBody)
    enquire(chat.messages, chat, tenant=Tenant("t"), limits=Limits())


def read_completion(body: dict[str, Any]) -> None:
    """As POST /v1/chat/completions does."""
    completion = checked(body, openai_body.CompletionBody)
    openai_body.wanted_of(completion)
    conversation_of(completion.messages)


def read_responses(body: dict[str, Any]) -> None:
    """As POST /v1/responses does."""
    response = checked(body, responses_body.ResponsesBody)
    responses_body.wanted_of(response)
    joined(conversation_of(turns_of(response.input), at="input"), instructions=response.instructions)


BODIES: dict[str, tuple[dict[str, Any], Callable[[dict[str, Any]], object]]] = {
    "chat": (CHAT, read_chat),
    "chat completions": (COMPLETION, read_completion),
    "responses": (RESPONSES, read_responses),
    "completions": (
        {**SAMPLING, "prompt": ["A cough."], "best_of": 1, "echo": False, "stop": "a"},
        lambda body: checked(body, text_completion_body.TextCompletionBody),
    ),
    "embeddings": (
        {"input": ["a"], "model": "m", "encoding_format": "float", "dimensions": 3},
        lambda body: checked(body, embeddings.EmbeddingsBody),
    ),
    "check": (
        {"items": [{**OPTIONS, "messages": TURNS, "answer": "Rest.", "revise": True}]},
        lambda body: checked(body, CheckBody),
    ),
    "screen": ({"messages": TURNS, "audience": "patient"}, lambda body: checked(body, ScreenBody)),
    "principles search": ({"query": "a cough", "limit": 3}, lambda body: checked(body, SearchBody)),
}
