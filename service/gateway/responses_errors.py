"""Errors as a caller of POST /v1/responses reads them: its fields by their names there, red flags in its own items."""

from collections.abc import Sequence
from dataclasses import replace

from service.domain.errors import GatewayError, InvalidRequest, PolicyOutcome
from service.gateway.responses_reply import located

_NAMES = {"response_format": "text.format", "messages": "input"}


def in_their_words(error: GatewayError, *, items: Sequence[int]) -> GatewayError:
    """The error, changed in place or made anew. `items` are the input's items that the turns began with."""
    if isinstance(error, InvalidRequest) and error.param in _NAMES:
        name = _NAMES[error.param]
        return InvalidRequest(str(error).replace(f"{error.param}:", f"{name}:"), param=name, code=error.code)
    if error.danger is not None:
        flags = (
            replace(flag, evidence=replace(flag.evidence, message=items[flag.evidence.message]))
            for flag in error.danger.red_flags
        )
        error.danger = replace(error.danger, red_flags=tuple(flags))
    if isinstance(error, PolicyOutcome):
        error.proof = located(error.proof, items)
    return error
