"""Server-sent events: records become bytes, and a stream of them is sent while its client listens."""

import re
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing
from itertools import islice

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.domain.errors import GatewayError, PolicyOutcome
from service.gateway.connected import while_connected

DONE = b"data: [DONE]\n\n"
# An `id:` field is never sent: clients in use stumble over a comment that follows one.
_COMMENT = b": %s\n\n"
# A word with the space after it; what is written without spaces is cut into short runs.
_WORD = re.compile(r"\S{1,24}\s*|\s+")
_WORDS_AT_ONCE = 16


def event(data: Mapping[str, object], *, name: str | None = None) -> bytes:
    """One event; its JSON holds no line break."""
    head = b"event: " + name.encode() + b"\n" if name else b""
    return head + b"data: " + orjson.dumps(data) + b"\n\n"


def comment(text: str) -> bytes:
    """A line that clients skip: it keeps proxies from cutting a silent stream."""
    return _COMMENT % text.encode()


def words(text: str) -> Iterator[str]:
    """The text in natural chunks: joined, they are the text again."""
    return (found[0] for found in _WORD.finditer(text))


def deltas(text: str, of: Callable[[str], bytes]) -> Iterator[bytes]:
    """One event a word, several to a piece, so that a long answer does not cost a system call a word."""
    pieces = (of(word) for word in words(text))
    while group := list(islice(pieces, _WORDS_AT_ONCE)):
        yield b"".join(group)


class EventStream(Response):
    """Sends events until they end or the client hangs up, which ends the work behind them.

    An error before the first event is an ordinary error reply; after it, the last event, as `failed` writes it.
    """

    media_type = "text/event-stream"

    def __init__(self, events: AsyncGenerator[bytes], *, failed: Callable[[GatewayError], bytes]) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers({"cache-control": "no-store", "x-accel-buffering": "no"})
        self._events = events
        self._failed = failed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all of it. `scope["state"]` says `broke_off` of a stream that an error ended, a policy outcome apart."""
        state = scope.setdefault("state", {})
        await while_connected(receive, self._send_all(send, state))

    async def _send_all(self, send: Send, state: dict[str, object]) -> None:
        async with aclosing(self._events) as events:
            first = await anext(events)
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            try:
                await _send(send, first)
                async for piece in events:
                    await _send(send, piece)
            except GatewayError as error:
                state["broke_off"] = not isinstance(error, PolicyOutcome)
                await _send(send, self._failed(error))
            except Exception:  # the process's edge for a stream: the client is told, and the log has the rest
                await _send(send, self._failed(GatewayError()), more=False)
                raise
            await _send(send, b"", more=False)


async def _send(send: Send, piece: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": piece, "more_body": more})
