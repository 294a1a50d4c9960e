"""Pydantic AI: an agent over chat completions, and over responses."""

from checks import BASE_URL, CLINIC, KEY, MODEL, QUESTION, UNSAFE_QUESTION, guarded, raised, run, withheld
from openai import AsyncOpenAI
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput, ToolOutput
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider


def provider(key: str = KEY) -> OpenAIProvider:
    return OpenAIProvider(openai_client=AsyncOpenAI(base_url=BASE_URL, api_key=key, max_retries=0))


MODELS = (OpenAIChatModel(MODEL, provider=provider()), OpenAIResponsesModel(MODEL, provider=provider()))


class Advice(BaseModel):
    """What the structured answer is read into."""

    advice: str
    see_a_doctor: bool


def find_clinic(near: str) -> str:
    """Find the nearest clinic."""
    return CLINIC if near else ""


def chat() -> None:
    for model in MODELS:
        result = Agent(model).run_sync(QUESTION)
        guarded(result.output)
        assert result.response.finish_reason == "stop"
        assert result.usage.output_tokens > 0


def streaming() -> None:
    for model in MODELS:
        with Agent(model).run_stream_sync(QUESTION) as result:
            pieces = list(result.stream_text(delta=True, debounce_by=None))
        guarded("".join(pieces))
        assert len(pieces) > 5


def tools() -> None:
    for model in MODELS:
        result = Agent(model, tools=[find_clinic]).run_sync(QUESTION)
        assert CLINIC in guarded(result.output)
        kinds = [part.part_kind for message in result.all_messages() for part in message.parts]
        assert kinds == ["user-prompt", "tool-call", "tool-return", "text"], kinds


def structured_output() -> str:
    for model in MODELS:
        assert Agent(model, output_type=ToolOutput(Advice)).run_sync(QUESTION).output.advice
        guarded(Agent(model, output_type=NativeOutput(Advice)).run_sync(QUESTION).output.advice)
    return "by tool and by schema"


def unsafe() -> str:
    result = Agent(MODELS[0]).run_sync(UNSAFE_QUESTION)
    withheld(result.output)
    assert result.response.finish_reason == "content_filter"
    return "`response.finish_reason` is `content_filter`"


def errors() -> None:
    wrong = Agent(OpenAIChatModel(MODEL, provider=provider("wrong")))
    assert raised(ModelHTTPError, lambda: wrong.run_sync(QUESTION)).status_code == 401


if __name__ == "__main__":
    run(
        "pydantic-ai-slim",
        {
            "chat": chat,
            "streaming": streaming,
            "tools": tools,
            "structured output": structured_output,
            "withheld": unsafe,
            "errors": errors,
        },
        notes="each check over chat completions and over responses",
    )
