"""How large a body may be: by its announced length, and by what really comes."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.domain.errors import TooLarge
from service.gateway.errors import error_response


class BodyLimit:
    """Ends a request whose body is larger than `most` bytes."""

    def __init__(self, app: ASGIApp, *, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._announced(Headers(scope=scope)) > self._most:
            await error_response(self._too_large())(scope, receive, send)
            return
        came = 0

        async def counting() -> Message:
            nonlocal came
            message = await receive()
            came += len(message.get("body", b""))
            if came > self._most:
                raise self._too_large()
            return message

        await self._app(scope, counting, send)

    def _announced(self, headers: Headers) -> int:
        length = headers.get("content-length", "0")
        return int(length) if length.isdecimal() else 0

    def _too_large(self) -> TooLarge:
        return TooLarge(f"the body is larger than {self._most} bytes")
