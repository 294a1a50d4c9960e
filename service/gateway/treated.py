"""What becomes of a parameter that is taken: said once, beside its field, for the interface and docs/parameters.md."""

from enum import StrEnum
from typing import Any

from pydantic import Field

TREATMENT = "x-treatment"


class Treatment(StrEnum):
    """Honoured here, passed on to the model's server, or taken though nothing comes of it."""

    HONOURED = "honoured"
    PASSED_ON = "passed on"
    TAKEN = "taken"
    REFUSED = "refused"


def honoured(said: str, default: Any = None, **bounds: Any) -> Any:
    """A field that the gateway itself sees to; `default` is ... where it must be given."""
    return _field(Treatment.HONOURED, said, default, bounds)


def passed_on(said: str, default: Any = None, **bounds: Any) -> Any:
    """A field that the model's server is given."""
    return _field(Treatment.PASSED_ON, said, default, bounds)


def taken(said: str, default: Any = None, **bounds: Any) -> Any:
    """A field that no answer could show to have been honoured."""
    return _field(Treatment.TAKEN, said, default, bounds)


def _field(treatment: Treatment, said: str, default: Any, bounds: dict[str, Any]) -> Any:
    return Field(default, description=said, json_schema_extra={TREATMENT: treatment.value}, **bounds)
