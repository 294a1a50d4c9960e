"""The body of POST /v1/responses: every documented parameter is taken, passed on, or refused with the reason."""

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from service.domain.enquiry import Sampling, Shape
from service.domain.errors import InvalidRequest
from service.gateway.bodies import Terms
from service.gateway.enquiring import Wanted
from service.gateway.messages import wrong
from service.gateway.reading import Body
from service.gateway.refused import (
    ENGINES_CACHE,
    NOT_STORED,
    ONE_ANSWER,
    ONE_TIER,
    TEXT_ONLY,
    THOUGHTS,
    UNTRUE_AFTER_REVISION,
    without_refused,
)
from service.gateway.responses_input import Items
from service.gateway.sampling_body import Effort, Unpadded
from service.gateway.shaping import MAX_TOOLS, SchemaName, ToolName, tool_of, with_schema, with_tools
from service.gateway.treated import honoured, passed_on, taken

_SEND_IT_ALL = f"{NOT_STORED}: send all of it as input"
REFUSED = {
    "previous_response_id": _SEND_IT_ALL,
    "conversation": _SEND_IT_ALL,
    "store": NOT_STORED,
    "prompt": "no prompts are stored here: send instructions",
    "background": "an answer is given to whoever waits for it",
    "background_options": "an answer is given to whoever waits for it",
    "include": "there is nothing to include",
    "top_logprobs": UNTRUE_AFTER_REVISION,
    "max_tool_calls": "tools are called by the caller",
    "context_management": "a conversation that is too long loses its oldest turns, and the reply says so",
    "service_tier": ONE_TIER,
    "moderation": "every answer is judged here",
    "prompt_cache_options": ENGINES_CACHE,
    "prompt_cache_retention": ENGINES_CACHE,
    "access_programs": "there is one way in, by the API key",
    "image": TEXT_ONLY,
    "n": ONE_ANSWER,
    "stop": "POST /v1/chat/completions takes it; responses do not document it",
    "seed": "POST /v1/chat/completions takes it; responses do not document it",
    "max_tokens": "here it is max_output_tokens",
    "max_completion_tokens": "here it is max_output_tokens",
    "response_format": "here it is text.format",
    "reasoning_effort": "here it is reasoning.effort",
}
REFUSED_REASONING = {
    "summary": THOUGHTS,
    "generate_summary": THOUGHTS,
    "context": "no thoughts are carried from turn to turn",
    "mode": "say how long to think by effort",
}
REFUSED_TEXT = {"verbosity": "say in the instructions how long the answer should be"}
# Clients that carry reasoning along ask for it to be included; there is none, and nothing is lost.
_DEFAULTS = {
    "n": 1,
    "top_logprobs": 0,
    "service_tier": "auto",
    "include": ["reasoning.encrypted_content"],
}


class FunctionTool(Body):
    """A function that the model may call."""

    type: Literal["function"]
    name: ToolName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


def _choice(value: object) -> object:
    """One of OpenAI's words, or the name of the one function to call."""
    match value:
        case {"type": "function", "name": str(name)}:
            return name
        case None | "auto" | "none" | "required":
            return value
        case _:
            raise wrong("", "should be 'auto', 'none', 'required' or {'type': 'function', 'name': ...}")


FunctionChoice = Annotated[
    str | None,
    BeforeValidator(_choice),
    WithJsonSchema({"anyOf": [{"enum": ["auto", "none", "required", None]}, {"type": "object"}]}),
]


class TextFormat(Body):
    """Prose, any JSON object, or JSON that fits a schema."""

    type: Literal["text", "json_object", "json_schema"]
    name: SchemaName | None = None
    schema_: dict[str, Any] | None = Field(default=None, alias="schema")
    description: str | None = None
    strict: bool | None = None


class TextBody(Body):
    """How the text is to be written."""

    format: TextFormat | None = honoured(
        "passed on for drafts and rewrites; a draft that does not fit is mended or asked for once more, a revision "
        "that does not is rejected, and an answer that still does not is left to the policy (`schema_unmet`)"
    )

    @model_validator(mode="before")
    @classmethod
    def _refuse(cls, value: Any) -> Any:
        return without_refused(value, refused=REFUSED_TEXT, defaults={"verbosity": "medium"})


class ReasoningBody(Body):
    """How long the model thinks before it drafts. Its thoughts are not judged, so they do not leave."""

    effort: Effort | None = passed_on("where the model thinks, of the draft alone; otherwise all but `none` is refused")

    @model_validator(mode="before")
    @classmethod
    def _refuse(cls, value: Any) -> Any:
        return without_refused(value, refused=REFUSED_REASONING, defaults={"context": "auto", "mode": "standard"})


class ResponseStreamOptions(Body):
    """Streams are not padded."""

    include_obfuscation: Unpadded = taken("streams are not padded; true is refused")


class ResponsesBody(Body):
    """Responses as OpenAI documents them; `clinalign` holds what POST /chat knows besides."""

    model: str | None = honoured(
        "the served model's id, `default` or `clinalign`, or nothing; another is a 404", max_length=256
    )
    input: Items = honoured("a text, or messages, function calls and their outputs; other items are refused", ...)
    instructions: str | None = honoured("go before the conversation")
    max_output_tokens: int | None = passed_on(
        "of the draft and of any rewrite of it, within the gateway's own limit; sentence edits may add to it", ge=1
    )
    temperature: float | None = passed_on("of the draft; verdicts and revisions are always read at 0", ge=0, le=2)
    top_p: float | None = passed_on("of the draft", gt=0, le=1)
    text: TextBody = honoured("see below", TextBody())
    reasoning: ReasoningBody | None = honoured("see below")
    tools: list[FunctionTool] | None = passed_on(
        "functions; calls that the draft makes are judged as text is, and leave or stay with it", max_length=MAX_TOOLS
    )
    tool_choice: FunctionChoice = passed_on("of the draft; verdicts and revisions call nothing")
    parallel_tool_calls: bool | None = honoured("false gives the first call alone")
    stream: bool | None = honoured("a stream holds until its answer is judged, and is kept alive meanwhile")
    stream_options: ResponseStreamOptions | None = honoured("with a stream only; streams are not padded")
    truncation: Literal["auto", "disabled"] | None = honoured(
        "`disabled` refuses a conversation that does not fit the model; otherwise its oldest turns go, and the reply "
        "says so"
    )
    metadata: dict[str, str] | None = honoured("given back", max_length=16)
    user: str | None = honoured("its keyed hash stands in the ledger's entry; the name itself is written nowhere")
    safety_identifier: str | None = honoured("as `user`, and before it")
    prompt_cache_key: str | None = taken("the engine's prefix cache goes by the prompt's own beginning")
    clinalign: Terms = honoured("what POST /chat knows besides: audience, purpose, options", Terms())

    @model_validator(mode="before")
    @classmethod
    def _refuse(cls, value: Any) -> Any:
        """Refuse by name what cannot survive, and leave out what says nothing."""
        return without_refused(value, refused=REFUSED, defaults=_DEFAULTS)


def wanted_of(body: ResponsesBody) -> Wanted:
    """How the draft is to be sampled and shaped.

    Raises:
        InvalidRequest: parameters contradict each other.

    """
    sampling = Sampling(
        temperature=body.temperature,
        top_p=body.top_p,
        max_tokens=body.max_output_tokens,
        reasoning_effort=body.reasoning.effort if body.reasoning else None,
    )
    user = body.safety_identifier or body.user or ""
    return Wanted(sampling, _shape(body), user=user, whole=body.truncation == "disabled")


def _shape(body: ResponsesBody) -> Shape:
    tools = [
        tool_of(tool.name, tool.description, tool.parameters, at=f"tools[{index}].name")
        for index, tool in enumerate(body.tools or ())
    ]
    shape = with_tools(tools, body.tool_choice, at="tool_choice.name")
    wanted = body.text.format
    if wanted is None or wanted.type == "text":
        return shape
    if wanted.type == "json_object":
        return replace(shape, json_object=True)
    if wanted.name is None or wanted.schema_ is None:
        missing = "text.format.name" if wanted.name is None else "text.format.schema"
        raise InvalidRequest(f"{missing}: is missing", param=missing)
    return with_schema(shape, wanted.name, wanted.schema_)
