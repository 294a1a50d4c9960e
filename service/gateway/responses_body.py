"""The body of POST /v1/responses: every documented parameter is taken, passed on, or refused with the reason."""

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from service.domain.enquiry import Sampling, Shape
from service.domain.errors import GatewayError, InvalidRequest
from service.gateway.bodies import Terms
from service.gateway.enquiring import Wanted
from service.gateway.messages import wrong
from service.gateway.reading import Body
from service.gateway.refused import ENGINES_CACHE, NOT_STORED, ONE_TIER, UNTRUE_AFTER_REVISION, without_refused
from service.gateway.responses_input import Items
from service.gateway.sampling_body import Effort, Unpadded
from service.gateway.shaping import MAX_TOOLS, SchemaName, ToolName, tool_of, with_schema, with_tools

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
}
# Clients that carry reasoning along ask for it to be included; there is none, and nothing is lost.
_DEFAULTS = {
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

    format: TextFormat | None = None

    @model_validator(mode="before")
    @classmethod
    def _refuse(cls, value: Any) -> Any:
        reason = "say in the instructions how long the answer should be"
        return without_refused(value, refused={"verbosity": reason}, defaults={"verbosity": "medium"})


class ReasoningBody(Body):
    """How long the model thinks before it drafts. Its thoughts are not judged, so they do not leave."""

    effort: Effort | None = None

    @model_validator(mode="before")
    @classmethod
    def _refuse(cls, value: Any) -> Any:
        unjudged = "thoughts are not judged, so they do not leave"
        return without_refused(value, refused={"summary": unjudged, "generate_summary": unjudged}, defaults={})


class ResponseStreamOptions(Body):
    """Streams are not padded."""

    include_obfuscation: Unpadded = None


class ResponsesBody(Body):
    """Responses as OpenAI documents them; `clinalign` holds what POST /chat knows besides."""

    model: str | None = Field(default=None, max_length=256)
    input: Items
    instructions: str | None = None
    max_output_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    text: TextBody = TextBody()
    reasoning: ReasoningBody | None = None
    tools: list[FunctionTool] | None = Field(default=None, max_length=MAX_TOOLS)
    tool_choice: FunctionChoice = None
    parallel_tool_calls: bool | None = None
    stream: bool | None = None
    stream_options: ResponseStreamOptions | None = None
    truncation: Literal["auto", "disabled"] | None = None
    metadata: dict[str, str] | None = Field(default=None, max_length=16)
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    clinalign: Terms = Terms()

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
    return Wanted(sampling, _shape(body))


def in_their_words(error: GatewayError) -> GatewayError:
    """The same error, with the format named as this body names it."""
    if not isinstance(error, InvalidRequest) or error.param != "response_format":
        return error
    return InvalidRequest(str(error).replace(error.param, "text.format"), param="text.format", code=error.code)


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
