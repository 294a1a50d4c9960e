"""Parameters that cannot survive a guarded answer: refused by name with the reason, unless they ask for nothing."""

from collections.abc import Mapping
from typing import Any

from service.gateway.messages import wrong

UNTRUE_AFTER_REVISION = "the released text may be a revision, whose tokens these would not be"
BENDS_VERDICTS = "it would bend the verdicts and revisions that the draft goes through"
NOT_STORED = "no conversation is stored here"
ONE_TIER = "there is one tier"
ENGINES_CACHE = "the prompt cache is the engine's own"
TEXT_ONLY = "answers are text"
ONE_ANSWER = "each answer would need its own draft, verdicts and revisions: ask once for each"
THOUGHTS = "thoughts are not judged, so they do not leave"


def without_refused(value: Any, *, refused: Mapping[str, str], defaults: Mapping[str, object]) -> Any:
    """The body without them: null, false, empty and OpenAI's own default (`defaults`) say nothing.

    What is no object is left for its own error.

    Raises:
        PydanticCustomError: one of them says something.

    """
    if not isinstance(value, dict):
        return value
    for name, reason in refused.items():
        if not _says_nothing(value.get(name)) and not _is(value[name], defaults.get(name)):
            raise wrong(f".{name}", f"cannot be honoured: {reason}")
    return {name: item for name, item in value.items() if name not in refused}


def _is(item: Any, default: object) -> bool:
    """Python takes true for 1; JSON does not."""
    return type(item) is type(default) and item == default


def _says_nothing(item: Any) -> bool:
    """Zero says something: no answers, or the log probability of what was drawn."""
    return item is None or item is False or item in ("", [], {})
