"""Every error that crosses a boundary of the service, as one tree.

GatewayError
 ├── RequestError            the caller can mend it: a 4xx
 │    ├── InvalidRequest        400  a field is wrong; `param` names it
 │    ├── Unauthorised          401  no key, or one that is not known
 │    ├── Forbidden             403  the key is known, and this is not for it
 │    ├── NotFound              404
 │    ├── Conflict              409  an idempotency key met another body, or a replay another conversation
 │    ├── SlowRequest           408
 │    ├── TooLarge              413
 │    ├── HeadTooLarge          431  address and headers
 │    ├── QuotaExceeded         429  `retry_after_s` says when
 │    └── PolicyOutcome         422  no answer passed, and the tenant wants that as an error; `status` is its own
 ├── Overloaded              503  the gateway is full or draining
 ├── StoreError              503  the principles or their index cannot be used
 ├── LedgerError             503  what was decided cannot be written down, so it must not leave
 ├── SettingsError           stops the start
 └── EngineError             502  the model's server failed; the tenant's policy answers, or it is told as an error
      ├── EngineUnavailable     503  cannot be reached, or its circuit is open
      │    └── EngineSilent        504  it was reached, and said nothing for too long
      ├── EngineTimeout         504  the deadline passed while it worked
      ├── EngineRefused         502  it answered 4xx: our request does not suit it
      └── EngineGarbled         502  it answered something that cannot be read

Messages say what was wrong, where and what to do. They never carry a patient's words.
"""

from typing import Any

from service.domain.assessment import Danger
from service.domain.completion import Usage


class GatewayError(Exception):
    """The root: catch it at the process edge only. `danger` is what the person must be told now all the same."""

    danger: Danger | None = None


class RequestError(GatewayError):
    """The caller can mend it; `param` is the path of the field at fault, where there is one."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.code = code


class InvalidRequest(RequestError):
    """A field is missing, unknown or out of range."""


class Unauthorised(RequestError):
    """No API key, or one that is not known."""


class Forbidden(RequestError):
    """The key is known, and this is not for it."""


class NotFound(RequestError):
    """Nothing by that id."""


class Conflict(RequestError):
    """What came differs from what it names: another body under an idempotency key, another conversation to replay."""


class TooLarge(RequestError):
    """The body is larger than the limit."""


class SlowRequest(RequestError):
    """The request did not come whole in time."""


class HeadTooLarge(RequestError):
    """The address and the headers are larger than the limit."""


class QuotaExceeded(RequestError):
    """The tenant's quota is used up for now."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message, code="rate_limit_exceeded")
        self.retry_after_s = retry_after_s


class PolicyOutcome(RequestError):
    """The tenant's policy stands in for an answer, and is wanted as an error; `proof` is the JSON that goes with it."""

    def __init__(self, message: str, *, status: int, proof: Any) -> None:
        super().__init__(message, code="content_filter")
        self.status = status
        self.proof = proof


class Overloaded(GatewayError):
    """No room for another request; `retry_after_s` is a fair guess of when there is."""

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StoreError(GatewayError):
    """The principles, or the index over them, cannot be used."""


class LedgerError(GatewayError):
    """The audit ledger cannot be written or read."""


class SettingsError(GatewayError):
    """A setting is wrong: the start stops here."""


class EngineError(GatewayError):
    """The model's server failed. The pipeline answers it with the tenant's failure policy.

    `spent` is what is known of the tokens that the call had cost by then.
    """

    spent: Usage = Usage()


class EngineUnavailable(EngineError):
    """The server cannot be reached, answered 5xx or 429 to the end of the retries, or its circuit is open."""


class EngineSilent(EngineUnavailable):
    """The server was reached, and said nothing for longer than anybody waits."""


class EngineTimeout(EngineError):
    """The deadline passed while the server worked."""


class EngineRefused(EngineError):
    """The server answered 4xx: the request does not suit it. `status` is its HTTP status."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class EngineGarbled(EngineError):
    """The server's answer broke off, or cannot be read."""
