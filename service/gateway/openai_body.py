"""The body of POST /v1/chat/completions: every documented parameter is taken, passed on, or refused with the reason."""

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from service.domain.enquiry import Shape, Tool
from service.domain.errors import InvalidRequest
from service.gateway.enquiring import Wanted
from service.gateway.messages import Messages, wrong
from service.gateway.reading import Body
from service.gateway.refused import (
    BENDS_VERDICTS,
    ENGINES_CACHE,
    NOT_STORED,
    ONE_ANSWER,
    ONE_TIER,
    TEXT_ONLY,
    UNTRUE_AFTER_REVISION,
    without_refused,
)
from service.gateway.sampling_body import Effort, SamplingBody, sampling_of
from service.gateway.shaping import MAX_TOOLS, SchemaName, ToolName, tool_of, with_schema, with_tools
from service.gateway.treated import honoured, passed_on, taken

_DEPRECATED = "use tools"
# What a guarded answer cannot honour. Null, false, empty and OpenAI's own default pass.
REFUSED = {
    "n": ONE_ANSWER,
    "logprobs": UNTRUE_AFTER_REVISION,
    "top_logprobs": UNTRUE_AFTER_REVISION,
    "logit_bias": BENDS_VERDICTS,
    "prediction": "the released text may be a revision of the draft that it would predict",
    "audio": TEXT_ONLY,
    "modalities": TEXT_ONLY,
    "functions": _DEPRECATED,
    "function_call": _DEPRECATED,
    "web_search_options": "answers use only what the conversation says",
    "store": NOT_STORED,
    "service_tier": ONE_TIER,
    "verbosity": "say in the messages how long the answer should be",
    "moderation": "every answer is judged here",
    "prompt_cache_options": ENGINES_CACHE,
    "prompt_cache_retention": ENGINES_CACHE,
}
_DEFAULTS = {"n": 1, "modalities": ["text"], "service_tier": "auto", "top_logprobs": 0}


class FunctionBody(Body):
    """A function that the model may call."""

    name: ToolName
    description: str = ""
    parameters: dict[str, Any] = Field(default_factory=dict)
    strict: bool | None = None


class ToolBody(Body):
    """A tool: functions are all there are."""

    type: Literal["function"]
    function: FunctionBody


def _choice(value: object) -> object:
    """One of OpenAI's words, or the name of the one function to call."""
    match value:
        case {"type": "function", "function": {"name": str(name)}}:
            return name
        case None | "auto" | "none" | "required":
            return value
        case _:
            raise wrong("", "should be 'auto', 'none', 'required' or {'type': 'function', 'function': {'name': ...}}")


ToolChoice = Annotated[
    str | None,
    BeforeValidator(_choice),
    WithJsonSchema({"anyOf": [{"enum": ["auto", "none", "required", None]}, {"type": "object"}]}),
]


class SchemaBody(Body):
    """A JSON schema that the answer must fit."""

    name: SchemaName
    description: str | None = None
    schema_: dict[str, Any] = Field(alias="schema")
    strict: bool | None = None


class ResponseFormat(Body):
    """Prose, any JSON object, or JSON that fits a schema."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: SchemaBody | None = None


class CompletionBody(SamplingBody):
    """Chat completions as OpenAI documents them."""

    messages: Messages = honoured(
        "text, tool calls and their results; parts that are images, sound or files are refused by their place", ...
    )
    max_completion_tokens: int | None = passed_on("the newer name of max_tokens; two that differ are refused", ge=1)
    reasoning_effort: Effort | None = passed_on(
        "where the model thinks (CLINALIGN_REASONING), of the draft alone; otherwise all but `none` is refused"
    )
    tools: list[ToolBody] | None = passed_on(
        "functions; calls that the draft makes are judged as text is, and leave or stay with it", max_length=MAX_TOOLS
    )
    tool_choice: ToolChoice = passed_on("of the draft; verdicts and revisions call nothing")
    parallel_tool_calls: bool | None = honoured("false gives the first call alone")
    response_format: ResponseFormat | None = honoured(
        "passed on for drafts and rewrites; a draft that does not fit is mended or asked for once more, a revision "
        "that does not is rejected, and an answer that still does not is left to the policy (`schema_unmet`)"
    )
    safety_identifier: str | None = honoured("as `user`, and before it")
    prompt_cache_key: str | None = taken("the engine's prefix cache goes by the prompt's own beginning")
    metadata: dict[str, str] | None = taken("no completion is stored that it could be kept with", max_length=16)

    @model_validator(mode="before")
    @classmethod
    def _refuse(cls, value: Any) -> Any:
        """Refuse by name what cannot survive, and leave out what says nothing."""
        return without_refused(value, refused=REFUSED, defaults=_DEFAULTS)


def wanted_of(body: CompletionBody) -> Wanted:
    """How the draft is to be sampled and shaped.

    Raises:
        InvalidRequest: parameters contradict each other, or one has a form that is not known.

    """
    sampling = sampling_of(body, max_tokens=_max_tokens(body))
    sampling = replace(sampling, reasoning_effort=body.reasoning_effort)
    return Wanted(sampling, _shape(body), user=body.safety_identifier or body.user or "")


def _max_tokens(body: CompletionBody) -> int | None:
    older, newer = body.max_tokens, body.max_completion_tokens
    if older is not None and newer is not None and older != newer:
        raise _invalid("max_tokens", "differs from max_completion_tokens: send one of them")
    return newer if newer is not None else older


def _shape(body: CompletionBody) -> Shape:
    tools = [_tool(tool, at=f"tools[{index}].function.name") for index, tool in enumerate(body.tools or ())]
    shape = with_tools(tools, body.tool_choice, at="tool_choice.function.name")
    wanted = body.response_format
    if wanted is None or wanted.type == "text":
        return shape
    if wanted.type == "json_object":
        return replace(shape, json_object=True)
    if (named := wanted.json_schema) is None:
        raise _invalid("response_format.json_schema", "is missing")
    return with_schema(shape, named.name, named.schema_)


def _tool(body: ToolBody, *, at: str) -> Tool:
    return tool_of(body.function.name, body.function.description, body.function.parameters, at=at)


def _invalid(param: str, said: str) -> InvalidRequest:
    return InvalidRequest(f"{param}: {said}", param=param)
