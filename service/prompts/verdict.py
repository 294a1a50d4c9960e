"""The verdict: is the thing a criterion names in the answer? One word, read from the first token's probabilities."""

import json
from collections.abc import Iterable

from service.domain.completion import TokenProbability
from service.domain.conversation import Message, Role
from service.domain.verdict import Presence

_QUESTION = "Check your answer above as it is written. Does it do this?\n{criterion}\n"
_INSTRUCTION = _QUESTION + "Reply with one word: Yes or No."
_INSTRUCTION_JSON = _QUESTION + 'Reply as {{"present": true}} or {{"present": false}}.'
OWN_WORDS = tuple(text.replace("{criterion}", "") for text in (_INSTRUCTION, _INSTRUCTION_JSON))
SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {"present": {"type": "boolean"}},
        "required": ["present"],
        "additionalProperties": False,
    }
)
# Marks that tokenizers put before a word to stand for its leading space.
_SPACE_MARKS = " \t\n\u0120\u2581\"'*"
# Yes and No must hold at least this share of the first token, or the model was saying something else.
_ENOUGH_MASS = 0.5


def instruction(criterion: str) -> Message:
    """Asks for one word."""
    return Message(Role.USER, _INSTRUCTION.format(criterion=criterion))


def instruction_json(criterion: str) -> Message:
    """Asks for a JSON verdict, for engines that report no probabilities."""
    return Message(Role.USER, _INSTRUCTION_JSON.format(criterion=criterion))


def read(first_token: Iterable[TokenProbability], *, threshold: float = 0.5) -> Presence:
    """Yes against No, spelling variants summed; unknown when less than half of the mass is on either.

    A probability of exactly the threshold is unknown too: one side of a coin's edge would pass what must be there,
    the other what must not.
    """
    yes = no = 0.0
    for alternative in first_token:
        match alternative.token.strip(_SPACE_MARKS).lower():
            case "yes":
                yes += alternative.probability
            case "no":
                no += alternative.probability
            case _:
                pass
    if not yes + no >= _ENOUGH_MASS:  # also unknown when a probability is not a number
        return Presence(None)
    probability = yes / (yes + no)
    present = None if probability == threshold else probability > threshold
    return Presence(present=present, probability=probability)


def read_json(reply: str) -> Presence:
    """The constrained verdict; anything but exactly the schema is unknown. It carries no probability."""
    try:
        parsed = json.loads(reply)
    except (ValueError, RecursionError):
        return Presence(None)
    if isinstance(parsed, dict) and parsed.keys() == {"present"} and isinstance(parsed["present"], bool):
        return Presence(present=parsed["present"])
    return Presence(None)
