"""What a server may say: the parts of OpenAI's JSON that are read here, everything else left out."""

from pydantic import BaseModel, Field


class Failure(BaseModel):
    """An `error` object. Its message is never read: it may quote the prompt."""

    code: int | str | None = None
    type: str | None = None


class FunctionPart(BaseModel):
    """A piece of a function call."""

    name: str | None = None
    arguments: str | None = None


class CallPart(BaseModel):
    """A piece of the tool call number `index`."""

    index: int = Field(default=0, ge=0, lt=128)
    id: str | None = None
    function: FunctionPart = FunctionPart()


class Delta(BaseModel):
    """What a chunk adds to the answer."""

    content: str | None = None
    tool_calls: list[CallPart] | None = None


class Alternative(BaseModel):
    """A token that could have stood here; no logprob where the server wrote minus infinity as null."""

    token: str
    logprob: float | None = None


class Position(BaseModel):
    """One token of the answer, with what else could have stood there."""

    top_logprobs: list[Alternative] | None = None


class Logprobs(BaseModel):
    """The tokens of a chunk."""

    content: list[Position] | None = None


class Choice(BaseModel):
    """One of the answers; only number 0 is ever asked for."""

    index: int = 0
    delta: Delta = Delta()
    logprobs: Logprobs | None = None
    finish_reason: str | None = None


class PromptDetails(BaseModel):
    """How much of the prompt came from the prefix cache."""

    cached_tokens: int | None = None


class UsageReport(BaseModel):
    """Tokens of the call."""

    prompt_tokens: int = 0
    completion_tokens: int | None = None
    prompt_tokens_details: PromptDetails | None = None


class Timings(BaseModel):
    """llama.cpp's own report: `cache_n` prompt tokens were there already."""

    cache_n: int | None = None


class Chunk(BaseModel):
    """One event of a stream."""

    choices: list[Choice] = []
    usage: UsageReport | None = None
    timings: Timings | None = None
    error: Failure | str | None = None


class Listed(BaseModel):
    """A model in a server's listing: `max_model_len` is vLLM's word for its context, and `owned_by` says that it is.

    `root` is where vLLM found it.
    """

    id: str
    owned_by: str | None = None
    root: str | None = None
    max_model_len: int | None = None
    demonstration: bool = False


class Listing(BaseModel):
    """GET /models."""

    data: list[Listed] = []


class Counted(BaseModel):
    """vLLM's reply to /tokenize."""

    count: int


class Tokenized(BaseModel):
    """llama.cpp's reply to /tokenize."""

    tokens: list[int]
