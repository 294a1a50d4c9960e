"""Logs as one JSON object a line: an event's name and fields from a closed list. Free text has no way in."""

import json
import logging
import sys
import time

LOGGER = logging.getLogger("clinalign")


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


def event(name: str, *, level: int = logging.INFO, **fields: float | str | bool | None) -> None:
    """Log one event. The caller passes ids, names, counts and times; never text that a person wrote."""
    LOGGER.log(level, name, extra={"fields": fields})
