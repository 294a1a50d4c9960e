"""Logs as one JSON object a line: an event's name and fields from a closed list. Free text has no way in."""

import asyncio
import json
import logging
import re
import sys
import time
import traceback
from typing import Any, TypedDict, Unpack

LOGGER = logging.getLogger("clinalign")
# A name, an id, a digest, a route or a path: no white space, so that no sentence gets through by mistake.
_NAME = re.compile(r"[\w.:;,/@#+=*{}<>\[\]~-]{0,256}")


class Fields(TypedDict, total=False):
    """All that a line may tell. Whoever needs another field adds it here, where a reviewer sees it."""

    address: str
    error: str
    id: str
    judge: str
    model: str
    ms: float
    of: str
    outcome: str
    probabilities: bool
    reason: str | None
    request_id: str
    revisions: int
    route: str
    schema: bool
    status: int
    store: str
    tenant: str
    tokens: int
    total_ms: float
    version: str
    where: str


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, "fields", {})
        line = {"at": round(time.time(), 3), "level": record.levelname.lower(), "event": record.getMessage(), **fields}
        return json.dumps(line, ensure_ascii=False)


def set_up(level: str = "INFO") -> None:
    """Log to standard error, whatever the root logger does."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    LOGGER.handlers = [handler]
    LOGGER.setLevel(level)
    LOGGER.propagate = False


def event(name: str, *, level: int = logging.INFO, **fields: Unpack[Fields]) -> None:
    """Log one event. A text that is no name, id or path is left out, and the line says that it was."""
    LOGGER.log(level, name, extra={"fields": {field: _told(value) for field, value in fields.items()}})


def _told(value: object) -> object:
    return value if not isinstance(value, str) or _NAME.fullmatch(value) else "(left out)"


def failed(error: Exception, /, **fields: Unpack[Fields]) -> None:
    """Log what nobody named: the class of the error and the place, for its message could hold somebody's words."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    frames = traceback.extract_tb(error.__traceback__)
    fields["error"] = type(error).__name__
    fields["where"] = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    event("failed", level=logging.ERROR, **fields)


def on_loop_error(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what the event loop complains of, without the message and trace that it would print."""
    error = context.get("exception")
    failed(error if isinstance(error, Exception) else RuntimeError())
