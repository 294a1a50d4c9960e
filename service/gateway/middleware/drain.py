"""Who is inside is answered; while the gateway is full or ends, anybody else is sent to another gateway."""

import asyncio

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.domain.errors import Overloaded
from service.gateway.doors import Doors
from service.gateway.errors import error_response

# What is asked of a gateway that ends too. Probes hold no door open.
_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
_COME_AGAIN_S = 2.0


class Drain:
    """Counts who is inside, and refuses new requests where no more fit, unread, and once the doors are closing.

    Then no connection is kept.
    """

    def __init__(self, app: ASGIApp, *, doors: Doors) -> None:
        self._app = app
        self._doors = doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or scope["path"] in _PROBES:
            await self._app(scope, receive, send)
        elif self._doors.is_closing:
            await _send_away(scope, receive, send)
        elif self._doors.is_crowded:
            full = Overloaded("the gateway has as many requests as it can hold", retry_after_s=_COME_AGAIN_S)
            await error_response(full)(scope, receive, send)
        else:
            with self._doors.passed():
                await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request that came in time. One that is cut before its reply began may come again elsewhere."""
        begun: list[Message] = []

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                begun.append(message)
                if self._doors.is_closing:
                    MutableHeaders(scope=message)["connection"] = "close"
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except asyncio.CancelledError:
            if self._doors.is_closing and not begun:
                await _send_away(scope, receive, send)
            raise


async def _send_away(scope: Scope, receive: Receive, send: Send) -> None:
    reply = error_response(Overloaded("this gateway is ending: send the request again", retry_after_s=_COME_AGAIN_S))
    reply.headers["connection"] = "close"
    await reply(scope, receive, send)
