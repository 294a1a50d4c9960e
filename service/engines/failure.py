"""A server's failure as one of our errors: its status and its error's code and type, never its words."""

import re

from pydantic import BaseModel, ValidationError

from service.domain.errors import EngineError, EngineGarbled, EngineRefused, EngineUnavailable
from service.engines.chunk import Failure
from service.engines.retry import Busy, TryAgain

_TOO_MANY = 429
_WORTH_ANOTHER = frozenset({502, 503, 504})
_FIRST_SERVER_ERROR = 500
_STATUSES = range(300, 600)
# A code or a type is a name; anything longer or with spaces could be somebody's words.
_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,48}")


class _Body(BaseModel):
    error: Failure | str | None = None


def failure_of(status: int, body: bytes, *, after_s: float | None) -> EngineError:
    """The error that an HTTP status of 300 or more stands for."""
    said = f"the engine answered {status}{_named(_error_in(body))}"
    if status == _TOO_MANY:
        return Busy(said, after_s=after_s)
    if status in _WORTH_ANOTHER:
        return TryAgain(said, after_s=after_s)
    if status >= _FIRST_SERVER_ERROR:
        return EngineUnavailable(said)
    return EngineRefused(said, status=status)


def failure_within(error: Failure | str) -> EngineError:
    """The error that an `error` object inside a stream stands for; by then nothing may be tried again."""
    said = f"the engine broke off its stream with an error{_named(error)}"
    code = error.code if isinstance(error, Failure) else None
    status = int(code) if isinstance(code, int) or (isinstance(code, str) and code.isascii() and code.isdigit()) else 0
    if status not in _STATUSES:
        return EngineGarbled(said)
    if status >= _FIRST_SERVER_ERROR or status == _TOO_MANY:
        return EngineUnavailable(said)
    return EngineRefused(said, status=status)


def _error_in(body: bytes) -> Failure | str | None:
    try:
        return _Body.model_validate_json(body).error
    except ValidationError:
        return None


def _named(error: Failure | str | None) -> str:
    if not isinstance(error, Failure):
        return ""
    names = [str(name) for name in (error.type, error.code) if name is not None and _NAME.fullmatch(str(name))]
    return f" ({', '.join(names)})" if names else ""
