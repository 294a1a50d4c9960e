"""What a refused request still sends: it is read and thrown away for a while, or many a client never sees the refusal.

A client that sends all before it reads finds its connection reset where the reply's end closes it on unread bytes.
"""

import asyncio
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_MOST_BYTES = 32 * 1024 * 1024
_WITHIN_S = 2.0


class Linger:
    """Holds back a reply's very end while its request's body comes: `most` bytes at most, and `within_s` seconds.

    The reply itself is on its way before. A client that waits to be told to go on (`Expect: 100-continue`) and was not
    sends nothing, so nothing is waited for; its connection is closed, for the body that it announced never comes.
    """

    def __init__(self, app: ASGIApp, *, most: int = _MOST_BYTES, within_s: float = _WITHIN_S) -> None:
        self._app = app
        self._most = most
        self._within_s = within_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _Body(receive, **_announced(Headers(scope=scope)))
        held = False

        async def sending(message: Message) -> None:
            nonlocal held
            if message["type"] == "http.response.start" and body.waits:
                MutableHeaders(scope=message)["connection"] = "close"
            held = message["type"] == "http.response.body" and not message.get("more_body", False) and body.comes
            await send({**message, "more_body": True} if held else message)

        await self._app(scope, body.receive, sending)
        if held:
            await self._thrown_away(body)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _thrown_away(self, body: "_Body") -> None:
        came = 0
        try:
            async with asyncio.timeout(self._within_s):
                while body.comes and came <= self._most:
                    came += len((await body.receive()).get("body", b""))
        except TimeoutError:
            return


@dataclass(slots=True)
class _Body:
    """A request's body as far as it has come. `waits` while its client was not told to go on."""

    _receive: Receive
    is_whole: bool
    waits: bool

    @property
    def comes(self) -> bool:
        """Whether more of it is on its way."""
        return not self.is_whole and not self.waits

    async def receive(self) -> Message:
        """The next piece; whoever asks for one tells the client to go on."""
        self.waits = False
        message = await self._receive()
        self.is_whole = self.is_whole or not message.get("more_body", False)
        return message


def _announced(headers: Headers) -> dict[str, bool]:
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    return {"is_whole": not has_body, "waits": has_body and headers.get("expect", "").lower() == "100-continue"}
