"""What the gateway needs besides the pipeline: Protocols, implemented in state, audit and principles."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from service.domain.enquiry import Tenant


class Quotas(Protocol):
    """How many requests a tenant may make."""

    async def take(self, tenant: Tenant) -> None:
        """Count one request.

        Raises:
            QuotaExceeded: the minute's quota is used up; says when to come again.

        """
        ...


class AnswerCache(Protocol):
    """Released answers, as the JSON of POST /chat, for a while. Keys are digests; degraded answers never enter."""

    async def get(self, key: str) -> bytes | None:
        """The answer, or None."""
        ...

    async def put(self, key: str, answer: bytes) -> None:
        """Keep it."""
        ...


class Repeats(Protocol):
    """Finished replies by the name of their request, and claims on those that are worked on. Both pass with time."""

    async def claim(self, name: str, claim: bytes) -> bytes | None:
        """What is there, a reply or another's claim; with nothing there, this claim is from now on."""
        ...

    async def renew(self, name: str, claim: bytes) -> None:
        """Hold on to a claim."""
        ...

    async def finish(self, name: str, claim: bytes, reply: bytes) -> None:
        """Put the reply in the claim's place."""
        ...

    async def drop(self, name: str, claim: bytes) -> None:
        """Give a claim up."""
        ...


class Ledger(Protocol):
    """What was decided and why, without a patient's words; each entry is chained to the one before."""

    async def record(self, entry: Mapping[str, object]) -> None:
        """Write one entry; `entry["id"]` names it."""
        ...

    async def find(self, entry_id: str) -> Mapping[str, object] | None:
        """The entry of that id, or None."""
        ...

    async def broken(self) -> str | None:
        """Where the chain of entries does not hold, in words; None where all of it does."""
        ...


class Shelf(Protocol):
    """The principles as a reader sees them."""

    def all(self) -> Sequence[Mapping[str, object]]:
        """Every principle, as JSON."""
        ...

    def one(self, principle_id: str) -> Mapping[str, object] | None:
        """One by id, or None."""
        ...

    async def search(self, query: str, *, limit: int) -> Sequence[Mapping[str, object]]:
        """The nearest, each with `similarity`."""
        ...


class Embedder(Protocol):
    """The principles' encoder, for texts of others."""

    @property
    def name(self) -> str:
        """Which model it is."""
        ...

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        ...

    @property
    def max_tokens(self) -> int:
        """The longest text that is read whole."""
        ...

    async def count(self, text: str) -> int:
        """Tokens of the text."""
        ...

    async def embed(self, text: str) -> bytes:
        """The text's unit vector as little-endian 32-bit floats."""
        ...
