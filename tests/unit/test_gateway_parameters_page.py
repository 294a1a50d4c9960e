"""docs/parameters.md is what the code does, and leaves out no parameter that OpenAI's own client documents."""

from typing import Any

import pytest
from openai.types import completion_create_params as text
from openai.types import embedding_create_params as embedding
from openai.types.chat import completion_create_params as chat
from openai.types.chat.chat_completion_stream_options_param import ChatCompletionStreamOptionsParam
from openai.types.responses import response_create_params as responses
from openai.types.responses.response_text_config_param import ResponseTextConfigParam
from openai.types.shared_params.reasoning import Reasoning

from service.domain.errors import InvalidRequest
from service.gateway.openai_body import CompletionBody
from service.gateway.parameters import ROUTES, page
from service.gateway.reading import Body, checked
from service.gateway.responses_body import ResponsesBody
from service.gateway.text_completion_body import TextCompletionBody
from service.gateway.treated import Treatment
from service.gateway.unknown import HINTS
from service.settings import ROOT

# The client's own lists; a TypedDict's `stream` stands in a class of its own.
DOCUMENTED: dict[str, list[tuple[str, Any]]] = {
    "POST /v1/chat/completions": [
        ("", chat.CompletionCreateParamsNonStreaming),
        ("stream_options.", ChatCompletionStreamOptionsParam),
    ],
    "POST /v1/responses": [
        ("", responses.ResponseCreateParamsNonStreaming),
        ("reasoning.", Reasoning),
        ("text.", ResponseTextConfigParam),
    ],
    "POST /v1/completions": [("", text.CompletionCreateParamsNonStreaming)],
    "POST /v1/embeddings": [("", embedding.EmbeddingCreateParams)],
}
ROWS = {route.path: {row.name: row for row in route.parameters} for route in ROUTES}
BODIES: dict[str, tuple[type[Body], dict[str, Any]]] = {
    "POST /v1/chat/completions": (CompletionBody, {"messages": [{"role": "user", "content": "a"}]}),
    "POST /v1/responses": (ResponsesBody, {"input": "a"}),
    "POST /v1/completions": (TextCompletionBody, {"prompt": "a"}),
}
REFUSED = [
    pytest.param(path, name, row.said, id=f"{path} {name}")
    for path, rows in ROWS.items()
    for name, row in rows.items()
    if row.treatment is Treatment.REFUSED and "." not in name
]


def test_the_page_is_current() -> None:
    assert (ROOT / "docs" / "parameters.md").read_text() == page(), "clinalign parameters > docs/parameters.md"


@pytest.mark.parametrize("path", DOCUMENTED)
def test_every_documented_parameter_has_a_row_and_every_row_says_something(path: str) -> None:
    named = {at + name for at, listed in DOCUMENTED[path] for name in listed.__annotations__}
    assert named <= ROWS[path].keys()
    assert all(row.said for row in ROWS[path].values())


@pytest.mark.parametrize(("path", "name", "reason"), REFUSED)
def test_what_the_table_says_is_refused_is_refused_with_that_reason(path: str, name: str, reason: str) -> None:
    body, least = BODIES[path]
    with pytest.raises(InvalidRequest) as refused:
        checked({**least, name: 7}, body)
    assert (refused.value.param, str(refused.value)) == (name, f"{name}: cannot be honoured: {reason}")


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("n", [0, 2, -1, "two"])
def test_more_answers_than_one_or_none_are_refused_with_the_reason(path: str, n: Any) -> None:
    body, least = BODIES[path]
    with pytest.raises(InvalidRequest, match="its own draft, verdicts and revisions"):
        checked({**least, "n": n}, body)
    assert isinstance(checked({**least, "n": 1}, body), body)


def test_zero_log_probabilities_are_still_asked_for() -> None:
    with pytest.raises(InvalidRequest, match="logprobs: cannot be honoured"):
        checked({"prompt": "a", "logprobs": 0}, TextCompletionBody)


@pytest.mark.parametrize("name", HINTS)
def test_a_field_of_another_server_is_refused_with_a_way_out(name: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        checked({"messages": [{"role": "user", "content": "a"}], name: 1}, CompletionBody)
    assert (refused.value.param, HINTS[name] in str(refused.value)) == (name, True)


def test_a_padded_stream_is_refused_in_words() -> None:
    asked = {"messages": [{"role": "user", "content": "a"}], "stream_options": {"include_obfuscation": True}}
    with pytest.raises(InvalidRequest, match="streams are not padded"):
        checked(asked, CompletionBody)
