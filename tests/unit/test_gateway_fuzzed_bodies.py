"""Bodies with one thing wrong in them: read, or refused by a 4xx; never anything else."""

import copy
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.domain.enquiry import Tenant
from service.domain.errors import RequestError
from service.gateway import embeddings, openai_body, responses_body, text_completion_body
from service.gateway.bodies import ChatBody, CheckBody, ScreenBody
from service.gateway.desk import Limits
from service.gateway.enquiring import enquire
from service.gateway.messages import conversation_of
from service.gateway.reading import checked, parsed
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
    chat = checked(body, ChatBody)
    enquire(chat.messages, chat, tenant=Tenant("t"), limits=Limits())


def read_completion(body: dict[str, Any]) -> None:
    completion = checked(body, openai_body.CompletionBody)
    openai_body.wanted_of(completion)
    conversation_of(completion.messages)


def read_responses(body: dict[str, Any]) -> None:
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
}
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=5)
)
WORDS = st.sampled_from(
    ["type", "role", "content", "text", "function", "name", "user", "message", "input_image", "auto"]
)
VALUES = st.recursive(
    SCALARS | WORDS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3), max_leaves=6
)


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path of everything inside a body."""
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for step, child in steps for found in ((*path, step), *places(child, (*path, step)))]


@pytest.mark.parametrize(("body", "read"), BODIES.values(), ids=BODIES.keys())
def test_the_body_without_anything_wrong_is_read(
    body: dict[str, Any], read: Callable[[dict[str, Any]], object]
) -> None:
    read(parsed(orjson.dumps(body)))


@pytest.mark.parametrize(("body", "read"), BODIES.values(), ids=BODIES.keys())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_body_with_one_thing_wrong_is_read_or_refused(
    body: dict[str, Any], read: Callable[[dict[str, Any]], object], data: st.DataObject
) -> None:
    broken = copy.deepcopy(body)
    *above, last = data.draw(st.sampled_from(places(body)))
    node: Any = broken
    for step in above:
        node = node[step]
    if data.draw(st.booleans()):
        node[last] = data.draw(VALUES)
    elif isinstance(node, dict):
        node[data.draw(st.text(max_size=6) | WORDS)] = node.pop(last)
    else:
        node.pop(last)
    try:
        read(parsed(orjson.dumps(broken)))
    except RequestError as error:
        assert str(error)  # noqa: PT017 - that it is refused is as good as that it is read
