"""Which model answers here, and by which names it may be asked for."""

from fastapi import Request

from service.domain.errors import InvalidRequest, NotFound
from service.gateway.answering import answering_of
from service.pipeline.orchestrator import UNREACHED

# Names for the served model that spare a caller from asking which one it is.
ALIASES = frozenset({"clinalign", "default"})


def check_model(request: Request, name: str | None) -> None:
    """See that this is the model that answers here.

    Raises:
        NotFound: it is another.

    """
    served = answering_of(request).desk.orchestrator.abilities
    # Which model an engine has that was not reached nobody knows; the tenant's policy answers meanwhile.
    if name is not None and name not in {*ALIASES, served.model} and served is not UNREACHED:
        raise NotFound(f"no such model: {served.model} answers here", param="model", code="model_not_found")


def check_effort(request: Request, effort: str | None, *, at: str) -> None:
    """See that the model can think, if it is asked to.

    Raises:
        InvalidRequest: it cannot.

    """
    served = answering_of(request).desk.orchestrator.abilities
    if effort not in {None, "none"} and not served.reasoning and served is not UNREACHED:
        raise InvalidRequest(f"{at}: cannot be honoured: the model that answers here does not think first", param=at)
