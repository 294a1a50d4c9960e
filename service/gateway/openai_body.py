"""The body of POST /v1/chat/completions: every documented parameter is taken, passed on, or refused with the reason."""

from typing import Annotated, Any, Literal

import orjson
from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from service.domain.enquiry import Sampling, Shape, Tool
from service.domain.errors import InvalidRequest
from service.gateway.bodies import Terms
from service.gateway.enquiring import Wanted
from service.gateway.messages import Messages, wrong
from service.gateway.reading import Body

_TEXT_ONLY = "answers are text"
_DEPRECATED = "use tools"
_UNTRUE_AFTER_REVISION = "the released text may be a revision, whose tokens these would not be"
# What a guarded answer cannot honour. Null, false, empty and OpenAI's own default pass.
REFUSED = {
    "logprobs": _UNTRUE_AFTER_REVISION,
    "top_logprobs": _UNTRUE_AFTER_REVISION,
    "logit_bias": "it would bend the verdicts and revisions that the draft goes through",
    "prediction": "the released text may be a revision of the draft that it would predict",
    "audio": _TEXT_ONLY,
    "modalities": _TEXT_ONLY,
    "functions": _DEPRECATED,
    "function_call": _DEPRECATED,
    "web_search_options": "answers use only what the conversation says",
    "store": "no conversation is stored here",
    "service_tier": "there is one tier",
    "reasoning_effort": "the model's thinking is off",
    "verbosity": "say in the messages how long the answer should be",
    "moderation": "every answer is judged here",
    "prompt_cache_options": "the prompt cache is the engine's own",
    "prompt_cache_retention": "the prompt cache is the engine's own",
}
_DEFAULTS = {"modalities": ["text"], "service_tier": "auto", "top_logprobs": 0, "reasoning_effort": "none"}
_CHOICES = frozenset({"auto", "none", "required"})
_INT64 = 2**63

ToolName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.\-]{1,64}$")]


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


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Stop = Annotated[
    Annotated[list[Annotated[str, Field(min_length=1, max_length=256)]], Field(max_length=4)] | None,
    BeforeValidator(_listed),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "null"}]}),
]


class SchemaBody(Body):
    """A JSON schema that the answer must fit."""

    name: str = Field(pattern=r"^[A-Za-z0-9_\-]{1,64}$")
    description: str | None = None
    schema_: dict[str, Any] = Field(alias="schema")
    strict: bool | None = None


class ResponseFormat(Body):
    """Prose, any JSON object, or JSON that fits a schema."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: SchemaBody | None = None


class StreamOptions(Body):
    """What a stream carries besides the answer."""

    include_usage: bool | None = None
    include_obfuscation: Literal[False] | None = None


class CompletionBody(Body):
    """Chat completions as OpenAI documents them; `clinalign` holds what POST /chat knows besides."""

    model: str | None = Field(default=None, max_length=256)
    messages: Messages
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    seed: int | None = Field(default=None, ge=-_INT64, lt=_INT64)
    stop: Stop = None
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Literal[1] | None = None
    tools: list[ToolBody] | None = Field(default=None, max_length=128)
    tool_choice: ToolChoice = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    metadata: dict[str, str] | None = Field(default=None, max_length=16)
    clinalign: Terms = Terms()

    @model_validator(mode="before")
    @classmethod
    def _refuse(cls, value: dict[str, Any]) -> dict[str, Any]:
        """Refuse by name what cannot survive, and leave out what says nothing."""
        for name, reason in REFUSED.items():
            if value.get(name) and value[name] != _DEFAULTS.get(name):
                raise wrong(name, f"cannot be honoured: {reason}")
        return {name: item for name, item in value.items() if name not in REFUSED}


def wanted_of(body: CompletionBody) -> Wanted:
    """How the draft is to be sampled and shaped.

    Raises:
        InvalidRequest: parameters contradict each other, or one has a form that is not known.

    """
    sampling = Sampling(
        temperature=body.temperature,
        top_p=body.top_p,
        max_tokens=_max_tokens(body),
        seed=body.seed,
        stop=tuple(body.stop or ()),
        presence_penalty=body.presence_penalty,
        frequency_penalty=body.frequency_penalty,
    )
    return Wanted(sampling, _shape(body))


def _max_tokens(body: CompletionBody) -> int | None:
    older, newer = body.max_tokens, body.max_completion_tokens
    if older is not None and newer is not None and older != newer:
        raise _invalid("max_tokens", "differs from max_completion_tokens: send one of them")
    return newer if newer is not None else older


def _shape(body: CompletionBody) -> Shape:
    tools = tuple(_tool(tool, at=f"tools[{index}]") for index, tool in enumerate(body.tools or ()))
    _check_choice(body.tool_choice, tools)
    wanted = body.response_format
    if wanted is None or wanted.type == "text":
        return Shape(tools=tools, tool_choice=body.tool_choice)
    if wanted.type == "json_object":
        return Shape(tools=tools, tool_choice=body.tool_choice, json_object=True)
    if (named := wanted.json_schema) is None:
        raise _invalid("response_format.json_schema", "is missing")
    schema = orjson.dumps(named.schema_).decode()
    return Shape(tools=tools, tool_choice=body.tool_choice, schema=schema, schema_name=named.name)


def _tool(body: ToolBody, *, at: str) -> Tool:
    function = body.function
    if function.name in _CHOICES:
        raise _invalid(f"{at}.function.name", "this name is one of tool_choice's words")
    return Tool(function.name, function.description, orjson.dumps(function.parameters).decode())


def _check_choice(choice: str | None, tools: tuple[Tool, ...]) -> None:
    if choice in {None, "none", "auto"}:
        return
    if not tools:
        raise _invalid("tool_choice", "asks for a tool, and no tools are given")
    if choice != "required" and choice not in {tool.name for tool in tools}:
        raise _invalid("tool_choice.function.name", "no tool has this name")


def _invalid(param: str, said: str) -> InvalidRequest:
    return InvalidRequest(f"{param}: {said}", param=param)
