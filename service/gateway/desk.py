"""What the gateway works with, built once at the start: the pipeline, the state around it, who may ask, the limits."""

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from service.domain.enquiry import Tenant
from service.domain.errors import Unauthorised
from service.gateway.ports import AnswerCache, Embedder, Ledger, Quotas, Repeats, Shelf
from service.observability.metrics import Metrics
from service.pipeline.orchestrator import Orchestrator


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the gateway takes on, how long it works at it, and how its streams are kept alive."""

    max_body_bytes: int = 1_048_576
    max_body_s: float = 60.0
    max_running: int = 64
    max_queued: int = 128
    keep_alive_s: float = 10.0
    empty_deltas: bool = False
    deadline_ms: int = 120_000
    max_revisions: int = 2
    cors_origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tenants:
    """Who may ask: by the SHA-256 of an API key in hex, or anyone as `open_to` where there are no keys."""

    by_key: Mapping[str, Tenant] = field(default_factory=dict)
    open_to: Tenant | None = None

    def of(self, key: str | None) -> Tenant:
        """The tenant behind an API key. Every known key is compared, each in constant time.

        Raises:
            Unauthorised: there is no key, or it is not known.

        """
        if not self.by_key and self.open_to is not None:
            return self.open_to
        if not key:
            raise Unauthorised("no API key: send `Authorization: Bearer <key>` or `api-key: <key>`")
        given = hashlib.sha256(key.encode()).hexdigest()
        matches = [tenant for known, tenant in self.by_key.items() if hmac.compare_digest(known, given)]
        if not matches:
            raise Unauthorised("the API key is not known", code="invalid_api_key")
        return matches[0]


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything that an HTTP handler may reach for.

    `cache` is None when answers are not kept; `repeats` keeps those of requests that carry an Idempotency-Key. `ready`
    says whether answers can be given, and if not, why. `audit_key` keys the digests of conversations. `edition` names
    what answers depend on besides the request (the digest of the principles in use), so that a cached answer does not
    outlive them.
    """

    orchestrator: Orchestrator
    quotas: Quotas
    cache: AnswerCache | None
    repeats: Repeats
    ledger: Ledger
    shelf: Shelf
    embedder: Embedder
    metrics: Metrics
    tenants: Tenants
    ready: Callable[[], tuple[bool, Sequence[str]]]
    audit_key: bytes = field(repr=False)
    service_version: str
    limits: Limits = field(default_factory=Limits)
    edition: Callable[[], str] = str
