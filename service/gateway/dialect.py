"""A stream of one answer in a client's dialect: an opening at once, signs of life while it is checked, the answer."""

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from typing import Protocol

from service.domain.enquiry import Enquiry
from service.domain.errors import GatewayError
from service.gateway import sse
from service.gateway.answering import Answering, Given
from service.gateway.errors import error_reply
from service.gateway.following import Follower


class Dialect(Protocol):
    """How one kind of client is spoken to."""

    def opening(self) -> Iterable[bytes]:
        """What can be said before anything is known."""
        ...

    def silence(self) -> bytes:
        """A sign of life that says nothing."""
        ...

    def answer(self, given: Given) -> Iterable[bytes]:
        """The released answer and the end."""
        ...

    def failed(self, error: GatewayError) -> bytes:
        """An error after the opening."""
        ...


Worded = Callable[[GatewayError], GatewayError]


def event_stream(
    answering: Answering, enquiry: Enquiry, dialect: Dialect, *, worded: Worded = lambda error: error
) -> sse.EventStream:
    """The reply that tells an answer in this dialect; what is refused before the opening is an ordinary error.

    `worded` says an error as this dialect's callers read it.
    """
    return sse.EventStream(_events(answering, enquiry, dialect, worded=worded), failed=dialect.failed)


def failed(error: GatewayError) -> bytes:
    """The error's object as the last event."""
    return sse.event(error_reply(error))


async def _events(answering: Answering, enquiry: Enquiry, dialect: Dialect, *, worded: Worded) -> AsyncGenerator[bytes]:
    try:
        async with aclosing(Follower().follow(answering, enquiry)) as signals:
            signal = await anext(signals)
            yield b"".join(dialect.opening())
            while not isinstance(signal, Given):
                yield dialect.silence()
                signal = await anext(signals)
            for piece in dialect.answer(signal):
                yield piece
    except GatewayError as error:
        raise worded(error) from None
