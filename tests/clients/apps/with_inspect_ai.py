"""Inspect: its model interface, and an evaluation from end to end."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from checks import BASE_URL, CLINIC, KEY, MODEL, QUESTION, REVISED, UNSAFE_QUESTION, guarded, raised, run, withheld
from inspect_ai import Task
from inspect_ai import eval as evaluate
from inspect_ai.dataset import Sample
from inspect_ai.model import (
    ChatMessageTool,
    ChatMessageUser,
    GenerateConfig,
    Model,
    ModelOutput,
    ResponseSchema,
    get_model,
)
from inspect_ai.scorer import includes
from inspect_ai.solver import generate, use_tools
from inspect_ai.tool import Tool, tool
from inspect_ai.util import json_schema
from pydantic import BaseModel

ASKED = [ChatMessageUser(content=QUESTION)]


class Advice(BaseModel):
    """What the structured answer is read into."""

    advice: str
    see_a_doctor: bool


@tool  # type: ignore[untyped-decorator]
def find_clinic() -> Tool:
    async def execute(near: str) -> str:
        """Finds the nearest clinic.

        Args:
            near: Where to look.

        """
        return CLINIC if near else ""

    return execute


def model(**terms: Any) -> Model:
    """Inspect's provider for OpenAI-compatible servers; a model belongs to the event loop that it is asked on."""
    given: dict[str, Any] = {"base_url": BASE_URL, "api_key": KEY, "memoize": False, **terms}
    return get_model(f"openai-api/gateway/{MODEL}", config=GenerateConfig(max_retries=0), **given)


def asked(ask: Callable[[], Awaitable[ModelOutput]]) -> ModelOutput:
    async def once() -> ModelOutput:
        return await ask()

    return asyncio.run(once())


def chat() -> str:
    reply = asked(lambda: model().generate(ASKED))
    guarded(reply.completion)
    assert reply.stop_reason == "stop"
    assert reply.usage
    assert reply.usage.total_tokens > 0
    log = evaluate(
        Task(dataset=[Sample(input=QUESTION, target=REVISED)], solver=generate(), scorer=includes()),
        model=model(),
        display="none",
        log_dir="logs",
    )[0]
    assert log.status == "success", log.error
    assert log.results
    assert log.results.scores[0].metrics["accuracy"].value == 1
    return "an evaluation too"


def streaming() -> None:
    reply = asked(lambda: model(stream=True).generate(ASKED))
    guarded(reply.completion)
    assert reply.stop_reason == "stop"
    assert reply.usage


def tools() -> None:
    first = asked(lambda: model().generate(ASKED, tools=[find_clinic()]))
    (call,) = first.message.tool_calls
    assert (first.stop_reason, call.function) == ("tool_calls", "find_clinic")
    result = ChatMessageTool(content=CLINIC, tool_call_id=call.id, function=call.function)
    second = asked(lambda: model().generate([*ASKED, first.message, result], tools=[find_clinic()]))
    assert CLINIC in guarded(second.completion)
    log = evaluate(
        Task(
            dataset=[Sample(input=QUESTION, target=CLINIC)],
            solver=[use_tools(find_clinic()), generate()],
            scorer=includes(),
        ),
        model=model(),
        display="none",
        log_dir="logs",
    )[0]
    assert log.results
    assert log.results.scores[0].metrics["accuracy"].value == 1


def structured_output() -> None:
    shape = ResponseSchema(name="advice", json_schema=json_schema(Advice))
    reply = asked(lambda: model().generate(ASKED, config=GenerateConfig(response_schema=shape)))
    guarded(Advice.model_validate_json(reply.completion).advice)


def unsafe() -> str:
    reply = asked(lambda: model().generate([ChatMessageUser(content=UNSAFE_QUESTION)]))
    withheld(reply.completion)
    assert reply.stop_reason == "content_filter"
    return "`stop_reason` is `content_filter`"


def errors() -> None:
    # It wraps what its openai raised.
    assert "401" in str(raised(Exception, lambda: asked(lambda: model(api_key="wrong").generate(ASKED))))


if __name__ == "__main__":
    run(
        "inspect-ai",
        {
            "chat": chat,
            "streaming": streaming,
            "tools": tools,
            "structured output": structured_output,
            "withheld": unsafe,
            "errors": errors,
        },
    )
