"""LlamaIndex's OpenAILike."""

import openai
from checks import BASE_URL, CLINIC, KEY, MODEL, QUESTION, UNSAFE_QUESTION, guarded, raised, run, withheld
from llama_index.core.llms import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai_like import OpenAILike
from pydantic import BaseModel

TERMS = {"model": MODEL, "api_base": BASE_URL, "is_chat_model": True, "is_function_calling_model": True}
llm = OpenAILike(**TERMS, api_key=KEY, max_retries=0, context_window=8192)
ASKED = [ChatMessage(role="user", content=QUESTION)]


class Advice(BaseModel):
    """What the structured answer is read into."""

    advice: str
    see_a_doctor: bool


def find_clinic(near: str) -> str:
    """Find the nearest clinic."""
    return CLINIC if near else ""


def chat() -> str:
    reply = llm.chat(ASKED)
    guarded(reply.message.content)
    guarded(llm.complete(QUESTION).text)
    assert reply.raw.model_extra["clinalign"]["outcome"] == "released"
    return 'the proof is in `raw.model_extra["clinalign"]`'


def streaming() -> None:
    pieces = list(llm.stream_chat(ASKED))
    guarded("".join(piece.delta or "" for piece in pieces))
    guarded(pieces[-1].message.content)
    assert len(pieces) > 5


def tools() -> None:
    clinic = FunctionTool.from_defaults(find_clinic)
    asked = llm.chat_with_tools([clinic], chat_history=ASKED)
    (call,) = llm.get_tool_calls_from_response(asked)
    assert call.tool_name == "find_clinic"
    result = ChatMessage(role="tool", content=CLINIC, additional_kwargs={"tool_call_id": call.tool_id})
    answered = llm.chat_with_tools([clinic], chat_history=[*ASKED, asked.message, result])
    assert CLINIC in guarded(answered.message.content)


def structured_output() -> str:
    advice = llm.structured_predict(Advice, PromptTemplate(QUESTION))
    assert isinstance(advice, Advice)
    assert advice.advice
    return "by function calling, which is how it asks"


def unsafe() -> str:
    reply = llm.chat([ChatMessage(role="user", content=UNSAFE_QUESTION)])
    withheld(reply.message.content)
    assert reply.raw.choices[0].finish_reason == "content_filter"
    return "`raw.choices[0].finish_reason` is `content_filter`"


def errors() -> None:
    wrong = OpenAILike(**TERMS, api_key="wrong", max_retries=0)
    raised(openai.AuthenticationError, lambda: wrong.chat(ASKED))


if __name__ == "__main__":
    run(
        "llama-index-llms-openai-like",
        {
            "chat": chat,
            "streaming": streaming,
            "tools": tools,
            "structured output": structured_output,
            "withheld": unsafe,
            "errors": errors,
        },
    )
