"""LiteLLM's client (not its proxy), with the gateway as an OpenAI-compatible provider."""

import json
from typing import Any

import litellm
from checks import BASE_URL, CLINIC, KEY, MODEL, QUESTION, UNSAFE_QUESTION, guarded, raised, run, withheld
from pydantic import BaseModel

TERMS: Any = {"model": f"openai/{MODEL}", "api_base": BASE_URL, "api_key": KEY, "num_retries": 0}
ASKED: Any = [{"role": "user", "content": QUESTION}]
FIND_CLINIC: Any = {
    "type": "function",
    "function": {
        "name": "find_clinic",
        "description": "Finds the nearest clinic.",
        "parameters": {"type": "object", "properties": {"near": {"type": "string"}}, "required": ["near"]},
    },
}


class Advice(BaseModel):
    """What the structured answer is read into."""

    advice: str
    see_a_doctor: bool


def chat() -> None:
    reply = litellm.completion(**TERMS, messages=ASKED)
    guarded(reply.choices[0].message.content)
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage.total_tokens > 0


def streaming() -> None:
    chunks = list(litellm.completion(**TERMS, messages=ASKED, stream=True, stream_options={"include_usage": True}))
    whole = litellm.stream_chunk_builder(chunks, messages=ASKED)
    guarded(whole.choices[0].message.content)
    assert whole.choices[0].finish_reason == "stop"
    assert whole.usage.completion_tokens > 0
    assert len(chunks) > 5


def tools() -> None:
    asked = litellm.completion(**TERMS, messages=ASKED, tools=[FIND_CLINIC]).choices[0]
    (call,) = asked.message.tool_calls
    assert (asked.finish_reason, call.function.name) == ("tool_calls", "find_clinic")
    assert json.loads(call.function.arguments)["near"]
    turns = [*ASKED, asked.message, {"role": "tool", "tool_call_id": call.id, "content": CLINIC}]
    answered = litellm.completion(**TERMS, messages=turns, tools=[FIND_CLINIC])
    assert CLINIC in guarded(answered.choices[0].message.content)


def structured_output() -> None:
    reply = litellm.completion(**TERMS, messages=ASKED, response_format=Advice)
    guarded(Advice.model_validate_json(reply.choices[0].message.content).advice)


def unsafe() -> str:
    reply = litellm.completion(**TERMS, messages=[{"role": "user", "content": UNSAFE_QUESTION}])
    withheld(reply.choices[0].message.content)
    assert reply.choices[0].finish_reason == "content_filter"
    return "`finish_reason` is `content_filter`"


def responses() -> None:
    reply = litellm.responses(**TERMS, input=QUESTION)
    guarded(reply.output[0].content[0].text)


def embeddings() -> None:
    reply = litellm.embedding(**{**TERMS, "model": "openai/default"}, input=["sore throat"])
    assert len(reply.data[0]["embedding"]) == 384


def errors() -> None:
    wrong = {**TERMS, "api_key": "wrong"}
    raised(litellm.AuthenticationError, lambda: litellm.completion(**wrong, messages=ASKED))
    refused = raised(litellm.BadRequestError, lambda: litellm.completion(**TERMS, messages=ASKED, logprobs=True))
    assert "logprobs" in str(refused)


if __name__ == "__main__":
    run(
        "litellm",
        {
            "chat": chat,
            "streaming": streaming,
            "tools": tools,
            "structured output": structured_output,
            "withheld": unsafe,
            "responses": responses,
            "embeddings": embeddings,
            "errors": errors,
        },
    )
