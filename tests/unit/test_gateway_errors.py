"""Every error of the tree as a reply."""

import json
from collections.abc import Iterator

import pytest

from service.domain import errors
from service.domain.errors import (
    EngineRefused,
    GatewayError,
    InvalidRequest,
    Overloaded,
    PolicyOutcome,
    QuotaExceeded,
    RequestError,
)
from service.engines.retry import Busy, TryAgain
from service.gateway.errors import KINDS, error_reply, error_response, kind_of

OF_THE_ENGINES = (Busy, TryAgain)


def tree(root: type[GatewayError]) -> Iterator[type[GatewayError]]:
    yield root
    for below in root.__subclasses__():
        yield from tree(below)


def made(kind: type[GatewayError]) -> GatewayError:
    if issubclass(kind, QuotaExceeded | Overloaded):
        return kind("said", retry_after_s=1.2)
    if issubclass(kind, PolicyOutcome):
        return kind("said", status=422, proof={})
    return kind("said", status=400) if issubclass(kind, EngineRefused) else kind("said")


@pytest.mark.parametrize("kind", sorted({*tree(GatewayError), *OF_THE_ENGINES}, key=str))
def test_every_error_has_a_status_and_openais_object(kind: type[GatewayError]) -> None:
    response = error_response(made(kind))
    body = json.loads(bytes(response.body))
    assert body.keys() == {"error"}
    assert body["error"].keys() - {"clinalign"} == {"message", "type", "param", "code"}
    assert 400 <= response.status_code < 500 if issubclass(kind, RequestError) else response.status_code >= 500


def test_the_table_names_every_class_of_the_tree() -> None:
    named = {cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, GatewayError)}
    assert named == set(KINDS)


@pytest.mark.parametrize("line", [line for line in (errors.__doc__ or "").splitlines() if "──" in line])
def test_the_statuses_drawn_in_the_tree_are_those_of_the_table(line: str) -> None:
    name, *rest = line.split("── ", 1)[1].split(maxsplit=2)
    if rest and rest[0].isdecimal():
        assert KINDS[getattr(errors, name)].status == int(rest[0])


def test_a_subclass_is_told_as_the_nearest_class_above_it() -> None:
    class Narrow(InvalidRequest):
        pass

    assert kind_of(Narrow("x")) is KINDS[InvalidRequest]


def test_an_unforeseen_error_says_nothing_of_itself() -> None:
    assert "secret" not in str(error_reply(GatewayError("secret")))


@pytest.mark.parametrize(("after", "told"), [(0.0, "1"), (1.2, "2"), (60.0, "60")])
def test_retry_after_is_whole_seconds_and_never_zero(after: float, told: str) -> None:
    assert error_response(QuotaExceeded("x", retry_after_s=after)).headers["retry-after"] == told
