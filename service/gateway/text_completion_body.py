"""The body of POST /v1/completions: one prompt, taken as what a user says."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from service.gateway.messages import wrong
from service.gateway.refused import BENDS_VERDICTS, ONE_ANSWER, UNTRUE_AFTER_REVISION, without_refused
from service.gateway.sampling_body import SamplingBody
from service.gateway.treated import honoured

REFUSED = {
    "n": ONE_ANSWER,
    "echo": "the answer is judged as an answer, and a prompt is none: put the two together yourself",
    "best_of": "one draft is made and mended; ask again for another",
    "logprobs": UNTRUE_AFTER_REVISION,
    "suffix": "an answer is judged whole, and nobody could judge a piece from the middle of a text",
    "logit_bias": BENDS_VERDICTS,
}
_DEFAULTS = {"n": 1, "best_of": 1}


def _one(value: object) -> object:
    """A prompt, or a list that holds just one."""
    if not isinstance(value, list):
        return value
    if any(isinstance(item, int | list) for item in value):
        raise wrong("", "send text: tokens of another model's tokenizer mean nothing here")
    if len(value) != 1:
        raise wrong("", "should be one prompt a request")
    return value[0]


Prompt = Annotated[
    Annotated[str, Field(min_length=1, pattern=r"\S")],
    BeforeValidator(_one),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "minLength": 1}, {"type": "array", "items": {"type": "string"}, "maxItems": 1}]}
    ),
]


class TextCompletionBody(SamplingBody):
    """Completions as OpenAI documents them."""

    prompt: Prompt = honoured("one text, taken as what a user says; tokens and several prompts are refused", ...)

    @model_validator(mode="before")
    @classmethod
    def _refuse(cls, value: Any) -> Any:
        return without_refused(value, refused=REFUSED, defaults=_DEFAULTS)
