"""LangChain's ChatOpenAI."""

import openai
from checks import BASE_URL, CLINIC, KEY, MODEL, QUESTION, UNSAFE_QUESTION, guarded, raised, run, withheld
from langchain_core.messages import AIMessageChunk, HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

llm = ChatOpenAI(base_url=BASE_URL, api_key=KEY, model=MODEL, max_retries=0)


class Advice(BaseModel):
    """What the structured answer is read into."""

    advice: str
    see_a_doctor: bool


@tool  # type: ignore[untyped-decorator]
def find_clinic(near: str) -> str:
    """Finds the nearest clinic."""
    return CLINIC if near else ""


def chat() -> None:
    reply = llm.invoke(QUESTION)
    guarded(reply.content)
    assert reply.response_metadata["finish_reason"] == "stop"
    assert reply.usage_metadata
    assert reply.usage_metadata["total_tokens"] > 0


def streaming() -> None:
    whole = AIMessageChunk("")
    pieces = 0
    for chunk in llm.stream(QUESTION, stream_usage=True):
        whole += chunk
        pieces += bool(chunk.content)
    guarded(whole.content)
    assert whole.response_metadata["finish_reason"] == "stop"
    assert whole.usage_metadata
    assert whole.usage_metadata["total_tokens"] > 0
    assert pieces > 5


def tools() -> None:
    offered = llm.bind_tools([find_clinic])
    turns = [HumanMessage(QUESTION)]
    asked = offered.invoke(turns)
    (call,) = asked.tool_calls
    answered = offered.invoke([*turns, asked, find_clinic.invoke(call)])
    assert CLINIC in guarded(answered.content)


def structured_output() -> str:
    for method in ("json_schema", "function_calling"):
        advice = llm.with_structured_output(Advice, method=method).invoke(QUESTION)
        assert isinstance(advice, Advice), advice
    guarded(llm.with_structured_output(Advice).invoke(QUESTION).advice)
    return "by schema and by function calling"


def unsafe() -> str:
    reply = llm.invoke(UNSAFE_QUESTION)
    withheld(reply.content)
    assert reply.response_metadata["finish_reason"] == "content_filter"
    return '`response_metadata["finish_reason"]` is `content_filter`'


def embeddings() -> str:
    encoder = OpenAIEmbeddings(base_url=BASE_URL, api_key=KEY, model="default", check_embedding_ctx_length=False)
    assert len(encoder.embed_query("sore throat")) == 384
    return "with `check_embedding_ctx_length=False`: it sends another model's tokens otherwise"


def errors() -> None:
    wrong = ChatOpenAI(base_url=BASE_URL, api_key="wrong", model=MODEL, max_retries=0)
    raised(openai.AuthenticationError, lambda: wrong.invoke(QUESTION))


if __name__ == "__main__":
    run(
        "langchain-openai",
        {
            "chat": chat,
            "streaming": streaming,
            "tools": tools,
            "structured output": structured_output,
            "withheld": unsafe,
            "embeddings": embeddings,
            "errors": errors,
        },
    )
