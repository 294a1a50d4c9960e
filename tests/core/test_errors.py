"""What an error carries for those that answer it, beside its message."""

import pytest

from service.domain.errors import (
    EngineError,
    EngineRefused,
    EngineSilent,
    EngineUnavailable,
    GatewayError,
    InvalidRequest,
    Overloaded,
    PolicyOutcome,
    QuotaExceeded,
    RequestError,
)


def test_a_wrong_field_is_named() -> None:
    error = InvalidRequest("must be a list", param="messages", code="wrong_type")
    assert (str(error), error.param, error.code) == ("must be a list", "messages", "wrong_type")


@pytest.mark.parametrize("error", [QuotaExceeded("later", retry_after_s=2.5), Overloaded("later", retry_after_s=2.5)])
def test_whoever_comes_too_often_or_too_early_is_told_when_to_come_again(error: QuotaExceeded | Overloaded) -> None:
    assert error.retry_after_s == 2.5


def test_only_the_quota_is_the_callers_to_mend() -> None:
    assert issubclass(QuotaExceeded, RequestError)
    assert not issubclass(Overloaded, RequestError)


def test_an_outcome_as_an_error_keeps_its_status_and_its_proof() -> None:
    error = PolicyOutcome("withheld", status=422, proof={"outcome": "withheld"})
    assert (error.status, error.proof, error.code) == (422, {"outcome": "withheld"}, "content_filter")


def test_a_refusal_by_the_engine_is_no_fault_of_its_reach() -> None:
    assert EngineRefused("the engine answered 400", status=400).status == 400
    assert not issubclass(EngineRefused, EngineUnavailable)
    assert issubclass(EngineSilent, EngineUnavailable)


def test_no_error_has_cost_tokens_or_bears_a_danger_unless_it_says_so() -> None:
    assert EngineError("down").spent.total_tokens == 0
    assert GatewayError("wrong").danger is None
