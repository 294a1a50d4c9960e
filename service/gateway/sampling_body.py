"""What OpenAI's completions of both kinds let a caller choose of the draft: how it is sampled, and how it is sent."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from service.domain.enquiry import Sampling
from service.domain.errors import InvalidRequest
from service.gateway.bodies import Terms
from service.gateway.messages import wrong
from service.gateway.reading import Body
from service.gateway.treated import honoured, passed_on, taken

_INT64 = 2**63
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


Stop = Annotated[
    Annotated[list[Annotated[str, Field(min_length=1, max_length=256)]], Field(max_length=4)] | None,
    BeforeValidator(_listed),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "null"}]}),
]


def _unpadded(value: object) -> object:
    if value is True:
        raise wrong("", "cannot be honoured: streams are not padded")
    return value


Unpadded = Annotated[bool | None, BeforeValidator(_unpadded), WithJsonSchema({"enum": [False, None]})]


class StreamOptions(Body):
    """What a stream carries besides the answer."""

    include_usage: bool | None = honoured("a last chunk with the tokens of every model call, and no choices")
    include_obfuscation: Unpadded = taken("streams are not padded; true is refused")


class SamplingBody(Body):
    """`clinalign` holds what POST /chat knows besides."""

    model: str | None = honoured(
        "the served model's id, `default` or `clinalign`, or nothing; another is a 404. On Azure's paths it is the "
        "deployment",
        max_length=256,
    )
    temperature: float | None = passed_on("of the draft; verdicts and revisions are always read at 0", ge=0, le=2)
    top_p: float | None = passed_on("of the draft", gt=0, le=1)
    max_tokens: int | None = passed_on(
        "of the draft and of any rewrite of it, within the gateway's own limit; sentence edits may add to it", ge=1
    )
    seed: int | None = passed_on("of the draft and its revisions; provenance names it", ge=-_INT64, lt=_INT64)
    stop: Stop = passed_on("of the draft; a revision is cut there too, before it is judged")
    presence_penalty: float | None = passed_on("of the draft", ge=-2, le=2)
    frequency_penalty: float | None = passed_on("of the draft", ge=-2, le=2)
    stream: bool | None = honoured("a stream holds until its answer is judged, and is kept alive meanwhile")
    stream_options: StreamOptions | None = honoured("with a stream only")
    user: str | None = honoured("its keyed hash stands in the ledger's entry; the name itself is written nowhere")
    clinalign: Terms = honoured("what POST /chat knows besides: audience, purpose, options", Terms())

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
