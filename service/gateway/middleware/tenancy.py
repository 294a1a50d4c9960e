"""Who asks: an API key becomes a tenant, or the request ends here."""

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.domain.enquiry import Tenant
from service.domain.errors import Unauthorised
from service.gateway.desk import Tenants
from service.gateway.errors import error_response

# What needs no key: probes, metrics, the description of the interface, and the page, which asks with the reader's key.
_OPEN = frozenset({"/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/favicon.ico"})
_OPEN_FOLDER = "/console/"


class Tenancy:
    """Sets the request's tenant."""

    def __init__(self, app: ASGIApp, *, tenants: Tenants) -> None:
        self._app = app
        self._tenants = tenants

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "http" and not _is_open(scope["path"]):
            try:
                scope.setdefault("state", {})["tenant"] = self._tenants.of(_key(Headers(scope=scope)))
            except Unauthorised as error:
                await error_response(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def tenant_of(request: Request) -> Tenant:
    """The tenant that this request was let in as."""
    tenant: Tenant = request.state.tenant
    return tenant


def _is_open(path: str) -> bool:
    return path in _OPEN or path.startswith(_OPEN_FOLDER)


def _key(headers: Headers) -> str | None:
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else headers.get("api-key")
