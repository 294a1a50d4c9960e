"""Instructor: structured answers, whole and in parts, by its modes for OpenAI."""

from typing import Any

import instructor
import openai
from checks import BASE_URL, CLINIC, KEY, MODEL, QUESTION, UNSAFE_QUESTION, guarded, raised, run, withheld
from instructor.core import InstructorRetryException
from pydantic import BaseModel

ASKED: Any = [{"role": "user", "content": QUESTION}]
UNSAFE: Any = [{"role": "user", "content": UNSAFE_QUESTION}]


class Advice(BaseModel):
    """What the structured answer is read into."""

    advice: str
    see_a_doctor: bool


class FindClinic(BaseModel):
    """Finds the nearest clinic."""

    near: str


def client(mode: instructor.Mode, key: str = KEY) -> instructor.Instructor:
    return instructor.from_openai(openai.OpenAI(base_url=BASE_URL, api_key=key, max_retries=0), mode=mode)


by_schema, by_tool = client(instructor.Mode.JSON_SCHEMA), client(instructor.Mode.TOOLS)


def chat() -> str:
    reply = by_schema.create(model=MODEL, messages=ASKED, response_model=None)
    guarded(reply.choices[0].message.content)
    return "with `response_model=None`"


def streaming() -> str:
    parts = list(by_schema.create_partial(model=MODEL, messages=ASKED, response_model=Advice))
    guarded(parts[-1].advice)
    assert len(parts) > 2
    parts = list(by_tool.create_partial(model=MODEL, messages=ASKED, response_model=Advice))
    assert parts[-1].advice
    return "as partial objects"


def tools() -> str:
    call, raw = by_tool.create_with_completion(model=MODEL, messages=ASKED, response_model=FindClinic)
    asked = raw.choices[0].message
    assert call.near
    result = {"role": "tool", "tool_call_id": asked.tool_calls[0].id, "content": CLINIC}
    turns: Any = [*ASKED, {"content": "", **asked.model_dump(exclude_none=True)}, result]
    reply = by_tool.create(model=MODEL, messages=turns, response_model=None)
    assert CLINIC in guarded(reply.choices[0].message.content)
    return "the call is read into a model, its result sent back"


def structured_output() -> str:
    for mode in (instructor.Mode.TOOLS, instructor.Mode.JSON_SCHEMA):
        advice, raw = client(mode).create_with_completion(model=MODEL, messages=ASKED, response_model=Advice)
        assert advice.advice
        assert raw.model_extra["clinalign"]["outcome"] == "released"
    return "modes `TOOLS` and `JSON_SCHEMA`"


def unsafe() -> str:
    reply = by_schema.create(model=MODEL, messages=UNSAFE, response_model=None)
    withheld(reply.choices[0].message.content)
    raised(
        InstructorRetryException,
        lambda: by_schema.create(model=MODEL, messages=UNSAFE, response_model=Advice, max_retries=1),
    )
    return "a structured answer that is withheld raises `InstructorRetryException`"


def errors() -> None:
    wrong = client(instructor.Mode.TOOLS, "wrong")
    raised(openai.AuthenticationError, lambda: wrong.create(model=MODEL, messages=ASKED, response_model=None))


if __name__ == "__main__":
    run(
        "instructor",
        {
            "chat": chat,
            "streaming": streaming,
            "tools": tools,
            "structured output": structured_output,
            "withheld": unsafe,
            "errors": errors,
        },
    )
