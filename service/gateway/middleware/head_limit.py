"""How large the address and the headers of a request may be together."""

from starlette.types import ASGIApp, Receive, Scope, Send

from service.domain.errors import HeadTooLarge
from service.gateway.errors import error_response

MAX_BYTES = 32 * 1024


class HeadLimit:
    """Ends a request with more than `most` bytes before its body."""

    def __init__(self, app: ASGIApp, *, most: int = MAX_BYTES) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "http" and _size(scope) > self._most:
            too_large = HeadTooLarge(f"address and headers are larger than {self._most} bytes")
            await error_response(too_large)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _size(scope: Scope) -> int:
    headers = sum(len(name) + len(value) for name, value in scope["headers"])
    return headers + len(scope["raw_path"]) + len(scope["query_string"])
