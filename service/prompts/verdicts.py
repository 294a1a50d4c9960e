"""All verdicts in one reply: every criterion numbered, one JSON boolean for each. Measured against one call each."""

import json
from collections.abc import Sequence
from typing import Any

from service.domain.conversation import Message, Role
from service.domain.verdict import Presence

_UNKNOWN = Presence(None)
_INSTRUCTION = (
    "Check your answer above as it is written. For each numbered line, does it do this?\n{criteria}\n"
    'Reply with one JSON object: {{"present": [...]}}, one true or false for each line, in their order.'
)
OWN_WORDS = tuple(_INSTRUCTION.split("{criteria}"))


def instruction(criteria: Sequence[str]) -> Message:
    """Asks for all verdicts at once."""
    numbered = "\n".join(f"{number}. {text}" for number, text in enumerate(criteria, start=1))
    return Message(Role.USER, _INSTRUCTION.format(criteria=numbered))


def schema(count: int) -> str:
    """The JSON schema of a reply to `count` criteria."""
    booleans: dict[str, Any] = {"type": "array", "items": {"type": "boolean"}, "minItems": count, "maxItems": count}
    return json.dumps(
        {"type": "object", "properties": {"present": booleans}, "required": ["present"], "additionalProperties": False}
    )


def read(reply: str, count: int) -> tuple[Presence, ...]:
    """One presence a criterion; all unknown unless the reply is exactly the schema's."""
    try:
        parsed = json.loads(reply)
    except (ValueError, RecursionError):
        return (_UNKNOWN,) * count
    found = parsed.get("present") if isinstance(parsed, dict) and parsed.keys() == {"present"} else None
    if not isinstance(found, list) or len(found) != count or not all(isinstance(each, bool) for each in found):
        return (_UNKNOWN,) * count
    return tuple(Presence(present=each) for each in found)
