"""Rewrite: the whole answer anew, keeping what was right."""

from collections.abc import Sequence

from service.domain.assessment import Criterion
from service.domain.conversation import Message, Role
from service.prompts.thinking import spoken
from service.prompts.wishes import wishes

_INSTRUCTION = (
    "Write your answer above again in full and keep what is right.\n{wishes}\nReply with the new answer only."
)
OWN_WORDS = tuple(_INSTRUCTION.split("{wishes}"))


def instruction(targets: Sequence[Criterion]) -> Message:
    """Asks for the whole text."""
    return Message(Role.USER, _INSTRUCTION.format(wishes=wishes(targets)))


def read(reply: str, *, duty: str) -> str:
    """The new body: white space trimmed, and the duty's words dropped where the model repeated them."""
    body = spoken(reply).strip()
    if duty and body.startswith(duty):
        body = body[len(duty) :].lstrip()
    return body
