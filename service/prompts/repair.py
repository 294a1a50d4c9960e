"""Repair: an answer that should have been JSON, asked for again as JSON."""

from service.domain.conversation import Message, Role
from service.prompts.control import neutralise_json
from service.prompts.thinking import spoken

_INSTRUCTION = (
    "Your answer above is not the JSON that was asked for. Write it again as {form}, keep what it says, "
    "and reply with the JSON only."
)
_OBJECT = "one JSON object"
_SCHEMA = "JSON that fits this schema:\n{schema}\nThen"
OWN_WORDS = tuple(_INSTRUCTION.split("{form}"))
# A longer schema would crowd out what the model has to read; its server still has it.
MOST_SCHEMA = 4000


def instruction(schema: str | None) -> Message:
    """Asks for the same in JSON. `schema` is the caller's own text, so nothing in it is control."""
    shown = schema if schema is not None and len(schema) <= MOST_SCHEMA else None
    form = _OBJECT if shown is None else _SCHEMA.format(schema=neutralise_json(shown))
    return Message(Role.USER, _INSTRUCTION.format(form=form))


def read(reply: str, *, duty: str) -> str:
    """The JSON, without what models put around it: thoughts, the duty's words, a fence."""
    text = spoken(reply).strip()
    text = text.removeprefix(duty).lstrip() if duty else text
    if text.startswith("```") and text.endswith("```"):
        text = text.removesuffix("```").partition("\n")[2].rstrip()
    return text
