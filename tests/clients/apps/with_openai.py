"""openai-python: chat completions, responses, embeddings, and its typed errors."""

import json
from typing import Any

import openai
from checks import (
    BASE_URL,
    CLINIC,
    KEY,
    MODEL,
    QUESTION,
    UNSAFE_QUESTION,
    guarded,
    raised,
    run,
    withheld,
)
from pydantic import BaseModel

client = openai.OpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0)
ASKED: Any = [{"role": "user", "content": QUESTION}]
UNSAFE: Any = [{"role": "user", "content": UNSAFE_QUESTION}]
FIND_CLINIC: Any = {
    "name": "find_clinic",
    "description": "Finds the nearest clinic.",
    "parameters": {
        "type": "object",
        "properties": {"near": {"type": "string"}},
        "required": ["near"],
        "additionalProperties": False,
    },
    "strict": True,
}


class Advice(BaseModel):
    """What the structured answer is read into."""

    advice: str
    see_a_doctor: bool


def chat() -> str:
    reply = client.chat.completions.create(model=MODEL, messages=ASKED)
    choice = reply.choices[0]
    guarded(choice.message.content)
    ours = (reply.model_extra or {})["clinalign"]
    assert (choice.finish_reason, ours["outcome"]) == ("stop", "released")
    assert [revision["accepted"] for revision in ours["revisions"]] == [True]
    assert reply.usage
    assert reply.usage.total_tokens == ours["usage"]["total_tokens"]
    assert client.models.retrieve(MODEL).id == MODEL
    assert [model.id for model in client.models.list()] == [MODEL]
    return 'the proof is in `model_extra["clinalign"]`'


def streaming() -> None:
    stream = client.chat.completions.create(
        model=MODEL, messages=ASKED, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    told = [choice for chunk in chunks for choice in chunk.choices]
    assert told[0].delta.role == "assistant"
    guarded("".join(choice.delta.content or "" for choice in told))
    assert [choice.finish_reason for choice in told if choice.finish_reason] == ["stop"]
    assert chunks[-1].usage
    assert chunks[-1].usage.completion_tokens > 0
    assert len(told) > 5


def tools() -> None:
    offered: Any = [{"type": "function", "function": FIND_CLINIC}]
    with client.chat.completions.stream(model=MODEL, messages=ASKED, tools=offered) as events:
        first = events.get_final_completion()
    asked = first.choices[0]
    calls: Any = asked.message.tool_calls
    (call,) = calls
    assert (asked.finish_reason, call.function.name) == ("tool_calls", "find_clinic")
    assert json.loads(call.function.arguments).keys() == {"near"}
    turns: Any = [*ASKED, asked.message, {"role": "tool", "tool_call_id": call.id, "content": CLINIC}]
    second = client.chat.completions.create(model=MODEL, messages=turns, tools=offered)
    assert CLINIC in guarded(second.choices[0].message.content)


def structured_output() -> None:
    reply = client.chat.completions.parse(model=MODEL, messages=ASKED, response_format=Advice)
    parsed = reply.choices[0].message.parsed
    assert parsed
    guarded(parsed.advice)


def unsafe() -> str:
    reply = client.chat.completions.create(model=MODEL, messages=UNSAFE)
    assert reply.choices[0].finish_reason == "content_filter"
    withheld(reply.choices[0].message.content)
    raised(
        openai.ContentFilterFinishReasonError,
        lambda: client.chat.completions.parse(model=MODEL, messages=UNSAFE, response_format=Advice),
    )
    return "`finish_reason` is `content_filter`; `.parse()` raises `ContentFilterFinishReasonError`"


def responses() -> None:
    reply = client.responses.create(model=MODEL, input=QUESTION, instructions="Be brief.")
    guarded(reply.output_text)
    assert reply.status == "completed"
    with client.responses.stream(model=MODEL, input=QUESTION) as events:
        kinds = [event.type for event in events]
        guarded(events.get_final_response().output_text)
    assert kinds.count("response.output_text.delta") > 5
    parsed = client.responses.parse(model=MODEL, input=QUESTION, text_format=Advice).output_parsed
    assert parsed
    guarded(parsed.advice)
    offered: Any = [{"type": "function", **FIND_CLINIC}]
    first = client.responses.create(model=MODEL, input=QUESTION, tools=offered)
    (call,) = (item for item in first.output if item.type == "function_call")
    result = {"type": "function_call_output", "call_id": call.call_id, "output": CLINIC}
    turns: Any = [*ASKED, *first.output, result]
    second = client.responses.create(model=MODEL, input=turns, tools=offered)
    assert CLINIC in guarded(second.output_text)


def embeddings() -> None:
    reply = client.embeddings.create(model="default", input=["sore throat", "ibuprofen"])
    assert [len(vector.embedding) for vector in reply.data] == [384, 384]
    assert abs(sum(x * x for x in reply.data[0].embedding) - 1) < 1e-3


def errors() -> None:
    wrong = client.with_options(api_key="wrong")
    assert raised(openai.AuthenticationError, wrong.models.list).code == "invalid_api_key"
    refused = raised(
        openai.BadRequestError,
        lambda: client.chat.completions.create(model=MODEL, messages=ASKED, logprobs=True),
    )
    assert refused.param == "logprobs"
    assert refused.request_id
    unknown = raised(openai.NotFoundError, lambda: client.chat.completions.create(model="gpt-x", messages=ASKED))
    assert unknown.code == "model_not_found"


if __name__ == "__main__":
    run(
        "openai",
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
