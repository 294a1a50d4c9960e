"""The question which of a rubric's items repeat or contradict one another: pairs in; what each is, or why not, out."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from service.domain.conversation import Message, Role
from service.prompts.control import neutralise
from training.synthesis.checks import Pair, Relation
from training.synthesis.prompt import Drafted, Unreadable

SYSTEM: Final = "You compare marking criteria for answers to health questions, two at a time."
ASK: Final = """\
All criteria are for an answer to the same question. "Must": the answer has to do it. "Must not": it may not.

{pairs}

Say of each pair what it is:
- "repeats": both ask for the same thing. Every answer that meets one meets the other.
- "contradicts": no answer can meet both. What one asks for, the other forbids or makes impossible.
- "fits": all the rest: two different things, or one wish said from two sides (to do a thing; not to do its opposite).
Mind numbers, doses, who is meant, and every "not".

Reply with JSON that has each pair's number: {{"1": "fits", "2": "repeats"}}."""


def request(items: Sequence[Drafted], pairs: Sequence[Pair]) -> tuple[Message, ...]:
    """The two messages of the request."""
    shown = "\n\n".join(
        f"Pair {number}\nA: {_shown(items[one])}\nB: {_shown(items[other])}"
        for number, (one, other) in enumerate(pairs, start=1)
    )
    return (Message(Role.SYSTEM, SYSTEM), Message(Role.USER, ASK.format(pairs=shown)))


def _shown(item: Drafted) -> str:
    return f"{'Must' if item.must else 'Must not'}: {neutralise(item.criterion)}"


def schema(count: int) -> dict[str, Any]:
    """Of a reply on so many pairs."""
    names = [str(number) for number in range(1, count + 1)]
    return {
        "type": "object",
        "properties": {name: {"enum": [relation.value for relation in Relation]} for name in names},
        "required": names,
        "additionalProperties": False,
    }


def read(reply: str, pairs: Sequence[Pair]) -> Mapping[Pair, Relation]:
    """What each pair is.

    Raises:
        Unreadable: a pair is missing, extra or said twice, or is none of the three.

    """
    try:
        said = json.loads(reply, object_pairs_hook=_once)
        if not isinstance(said, dict) or said.keys() != schema(len(pairs))["properties"].keys():
            raise Unreadable("not one word for each pair")
        return {pair: Relation(said[str(number)]) for number, pair in enumerate(pairs, start=1)}
    except (ValueError, RecursionError) as error:
        raise Unreadable("not JSON of the schema") from error


def _once(found: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in found}) < len(found):
        raise Unreadable("a pair comes twice")
    return dict(found)
