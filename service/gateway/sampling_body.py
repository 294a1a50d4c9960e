"""What OpenAI's completions of both kinds let a caller choose of the draft: how it is sampled, and how it is sent."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from service.domain.enquiry import Sampling
from service.domain.errors import InvalidRequest
from service.gateway.bodies import Terms
from service.gateway.reading import Body, exactly

_INT64 = 2**63
One = Annotated[Literal[1] | None, exactly(1)]
Unpadded = Annotated[Literal[False] | None, exactly(value=False)]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Stop = Annotated[
    Annotated[list[Annotated[str, Field(min_length=1, max_length=256)]], Field(max_length=4)] | None,
    BeforeValidator(_listed),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "null"}]}),
]


class StreamOptions(Body):
    """What a stream carries besides the answer."""

    include_usage: bool | None = None
    include_obfuscation: Unpadded = None


class SamplingBody(Body):
    """`clinalign` holds what POST /chat knows besides."""

    model: str | None = Field(default=None, max_length=256)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    max_tokens: int | None = Field(default=None, ge=1)
    seed: int | None = Field(default=None, ge=-_INT64, lt=_INT64)
    stop: Stop = None
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: One = None
    user: str | None = None
    clinalign: Terms = Terms()

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with its usage."""
        return bool(self.stream_options and self.stream_options.include_usage)


def sampling_of(body: SamplingBody, *, max_tokens: int | None) -> Sampling:
    """How the draft is to be sampled.

    Raises:
        InvalidRequest: options of a stream without a stream.

    """
    if body.stream_options is not None and not body.stream:
        raise InvalidRequest("stream_options: only a stream has them: set stream to true", param="stream_options")
    return Sampling(
        temperature=body.temperature,
        top_p=body.top_p,
        max_tokens=max_tokens,
        seed=body.seed,
        stop=tuple(body.stop or ()),
        presence_penalty=body.presence_penalty,
        frequency_penalty=body.frequency_penalty,
    )
