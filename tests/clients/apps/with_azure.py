"""openai-python's AzureOpenAI: the key in `api-key`, the deployment in the path."""

import json
from typing import Any

import openai
from checks import CLINIC, KEY, MODEL, QUESTION, ROOT, UNSAFE_QUESTION, guarded, raised, run, withheld
from pydantic import BaseModel

TERMS: Any = {"azure_endpoint": ROOT, "api_version": "2024-10-21", "max_retries": 0}
client = openai.AzureOpenAI(**TERMS, api_key=KEY)
ASKED: Any = [{"role": "user", "content": QUESTION}]
TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": "find_clinic",
            "description": "Finds the nearest clinic.",
            "parameters": {"type": "object", "properties": {"near": {"type": "string"}}, "required": ["near"]},
        },
    }
]


class Advice(BaseModel):
    """What the structured answer is read into."""

    advice: str
    see_a_doctor: bool


def chat() -> None:
    reply = client.chat.completions.create(model=MODEL, messages=ASKED)
    guarded(reply.choices[0].message.content)
    assert (reply.model_extra or {})["clinalign"]["outcome"] == "released"


def streaming() -> None:
    stream = client.chat.completions.create(model=MODEL, messages=ASKED, stream=True)
    told = [choice for chunk in stream for choice in chunk.choices]
    guarded("".join(choice.delta.content or "" for choice in told))
    assert told[-1].finish_reason == "stop"


def tools() -> None:
    asked = client.chat.completions.create(model=MODEL, messages=ASKED, tools=TOOLS).choices[0].message
    calls: Any = asked.tool_calls
    (call,) = calls
    assert json.loads(call.function.arguments)["near"]
    turns: Any = [*ASKED, asked, {"role": "tool", "tool_call_id": call.id, "content": CLINIC}]
    answered = client.chat.completions.create(model=MODEL, messages=turns, tools=TOOLS)
    assert CLINIC in guarded(answered.choices[0].message.content)


def structured_output() -> None:
    parsed = client.chat.completions.parse(model=MODEL, messages=ASKED, response_format=Advice)
    advice = parsed.choices[0].message.parsed
    assert advice
    guarded(advice.advice)


def unsafe() -> str:
    reply = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": UNSAFE_QUESTION}])
    withheld(reply.choices[0].message.content)
    assert reply.choices[0].finish_reason == "content_filter"
    return "`finish_reason` is `content_filter`, as Azure's own filter says it"


def embeddings() -> None:
    assert len(client.embeddings.create(model="default", input="sore throat").data[0].embedding) == 384


def errors() -> None:
    wrong = openai.AzureOpenAI(**TERMS, api_key="wrong")
    raised(openai.AuthenticationError, lambda: wrong.chat.completions.create(model=MODEL, messages=ASKED))


if __name__ == "__main__":
    run(
        "openai",
        {
            "chat": chat,
            "streaming": streaming,
            "tools": tools,
            "structured output": structured_output,
            "withheld": unsafe,
            "embeddings": embeddings,
            "errors": errors,
        },
        notes="the key goes in `api-key`, the deployment in the path",
    )
