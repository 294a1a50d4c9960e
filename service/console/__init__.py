"""The web page that asks a question and shows the guarded answer with its proof: files, and the routes to them."""

import hashlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_STATIC = Path(__file__).resolve().parent / "static"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# Nothing but the gateway's own files runs or is asked: what a model wrote stays text.
_HEADERS = {
    "content-security-policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}


def files() -> Mapping[str, tuple[str, bytes]]:
    """Media type and content of each file, by the path it is served at."""
    return {_path(file): (_TYPES[file.suffix], file.read_bytes()) for file in sorted(_STATIC.iterdir())}


def routes() -> list[Route]:
    """One GET route a file, read once. A browser asks again each time and is told when nothing changed."""
    return [Route(path, partial(_serve, media_type, content)) for path, (media_type, content) in files().items()]


def _path(file: Path) -> str:
    return "/" if file.name == "index.html" else f"/console/{file.name}"


async def _serve(media_type: str, content: bytes, request: Request) -> Response:
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {**_HEADERS, "etag": etag}
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=media_type, headers=headers)
