"""HTTP/1.1 whose requests begin within bounds: the parser alone would take headers without end, and wait for ever."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.domain.errors import HeadTooLarge, InvalidRequest, SlowRequest
from service.gateway.errors import error_reply, json_response, kind_of
from service.gateway.middleware.edge import SAFE, new_request_id

MAX_HEAD_BYTES = 64 * 1024
HEAD_S = 20.0


class BoundedProtocol(HttpToolsProtocol):
    """Closes a connection whose request's head grows beyond `MAX_HEAD_BYTES`, or is not whole after `HEAD_S`."""

    _head_bytes = 0
    _is_head = True
    _limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._end()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; the head that is still not whole is counted."""
        super().data_received(data)
        self._head_bytes += len(data) if self._is_head else 0
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(HeadTooLarge(f"the request's head is larger than {MAX_HEAD_BYTES} bytes"))

    def on_message_begin(self) -> None:
        """Another request."""
        super().on_message_begin()
        self._begin()

    def on_headers_complete(self) -> None:
        """Its head is whole."""
        self._end()
        super().on_headers_complete()

    def _begin(self) -> None:
        self._end()
        self._is_head, self._head_bytes = True, 0
        self._limit = self.loop.call_later(HEAD_S, self._too_slow)

    def _end(self) -> None:
        self._is_head, self._head_bytes = False, 0
        if self._limit is not None:
            self._limit.cancel()

    def _too_slow(self) -> None:
        if not self._head_bytes:  # nothing was asked, so there is nothing to say
            self.transport.close()
            return
        self._refuse(SlowRequest(f"the request's head did not come within {HEAD_S:.0f} s"))

    def send_400_response(self, msg: str) -> None:
        """Say in our own words that this is no HTTP; uvicorn's are no JSON."""
        del msg
        self._refuse(InvalidRequest("the request is not valid HTTP", code="invalid_http"))

    def _refuse(self, error: HeadTooLarge | SlowRequest | InvalidRequest) -> None:
        reply = json_response(error_reply(error))
        lines = [f"HTTP/1.1 {kind_of(error).status} Refused".encode(), b"connection: close"]
        lines.append(f"x-request-id: {new_request_id()}".encode())
        lines += [f"{name}: {value}".encode() for name, value in SAFE.items()]
        lines += [name + b": " + value for name, value in reply.raw_headers]
        self._end()
        self.transport.write(b"\r\n".join([*lines, b"", bytes(reply.body)]))
        self.transport.close()
