"""How large a body may be, by its announced length and by what really comes; and how long it may take to come."""

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.domain.errors import SlowRequest, TooLarge
from service.gateway.errors import error_response


class BodyLimit:
    """Ends a request whose body is larger than `most` bytes, or is not whole after `within_s` seconds."""

    def __init__(self, app: ASGIApp, *, most: int, within_s: float = 60.0) -> None:
        self._app = app
        self._most = most
        self._within_s = within_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._announced(Headers(scope=scope)) > self._most:
            await error_response(self._too_large())(scope, receive, send)
            return
        came, is_whole = 0, False
        until = asyncio.get_running_loop().time() + self._within_s

        async def counting() -> Message:
            nonlocal came, is_whole
            try:
                # What comes after the body is the end of the connection, and nobody waits for that.
                async with asyncio.timeout_at(None if is_whole else until):
                    message = await receive()
            except TimeoutError:
                raise SlowRequest(f"the body did not come within {self._within_s:.0f} s") from None
            came += len(message.get("body", b""))
            is_whole = not message.get("more_body", False)
            if came > self._most:
                raise self._too_large()
            return message

        await self._app(scope, counting, send)

    def _announced(self, headers: Headers) -> int:
        length = headers.get("content-length", "0")
        return int(length) if length.isdecimal() else 0

    def _too_large(self) -> TooLarge:
        return TooLarge(f"the body is larger than {self._most} bytes")
