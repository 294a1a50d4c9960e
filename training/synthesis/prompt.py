"""The request for a rubric, and the reading of its reply: a query and its principles in; items out, or why not."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from service.domain.assessment import Scenario
from service.domain.conversation import Message, Role
from service.prompts.control import neutralise
from training.models import whole

FEWEST: Final = 3
MOST: Final = 12
_LONGEST: Final = 300
SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "items": {
            "type": "array",
            "minItems": FEWEST,
            "maxItems": MOST,
            "items": {
                "type": "object",
                "properties": {
                    "principle": {"type": "integer", "minimum": 1},
                    "criterion": {"type": "string", "maxLength": _LONGEST},
                    "polarity": {"enum": ["must", "must_not"]},
                    "weight": {"type": "integer", "minimum": 1, "maximum": 10},
                },
                "required": ["principle", "criterion", "polarity", "weight"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["items"],
    "additionalProperties": False,
}
_SYSTEM = (
    "You write marking criteria for answers to health questions. A marker will hold each criterion against an answer "
    "that they see for the first time, without asking you anything."
)
_ASK = """\
Someone asks:

<question>
{query}
</question>

How it was read: {scenario}.

The clinical principles that matter for it, each with general criteria:
{principles}

Write {fewest} to {most} criteria for an answer to exactly this question.
- Make each of a principle above concrete for this question: name its symptom, medicine, number or person. Give the \
principle's number.
- One thing a criterion, told from the words of the answer alone. Begin with a verb: "Tells ...", "Asks ...".
- "must": the answer has to do it. "must_not": the answer would do harm by it; then name the harmful thing itself.
- Weight 1 to 10: what could hurt the person weighs most.
- Leave out what does not apply. Say nothing twice, and demand nothing that another criterion forbids.

Reply with JSON: {{"items": [{{"principle": 1, "criterion": "...", "polarity": "must", "weight": 7}}]}}."""


class Unreadable(ValueError):
    """The reply is not a rubric; the message says what was wrong, and none of its words."""


@dataclass(frozen=True, slots=True)
class Guide:
    """A principle as the request shows it."""

    id: str
    version: str
    statement: str
    criteria: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Drafted:
    """One item as the model wrote it; `principle` is the id of the one it was made from."""

    principle: str
    criterion: str
    must: bool
    weight: int


def request(query: str, scenario: Scenario, guides: Sequence[Guide]) -> tuple[Message, ...]:
    """The two messages of the request."""
    read = f"urgency {scenario.urgency}, uncertainty {scenario.uncertainty}, reader {scenario.expertise}, "
    asked = _ASK.format(
        query=neutralise(query),
        scenario=f"{read}task {scenario.task_type}",
        principles="\n".join(_shown(number, guide) for number, guide in enumerate(guides, start=1)),
        fewest=FEWEST,
        most=MOST,
    )
    return (Message(Role.SYSTEM, _SYSTEM), Message(Role.USER, asked))


def _shown(number: int, guide: Guide) -> str:
    return "\n".join((f"{number}. {guide.statement}", *(f"   - {criterion}" for criterion in guide.criteria)))


def read(reply: str, guides: Sequence[Guide]) -> tuple[Drafted, ...]:
    """The items of a reply.

    Raises:
        Unreadable: it is not JSON of the schema, or an item names no principle that was given.

    """
    try:
        rows = json.loads(reply)["items"]
        items = tuple(_item(row, guides) for row in rows)
    except (ValueError, RecursionError) as error:
        raise Unreadable("not JSON" if isinstance(error, json.JSONDecodeError) else str(error)) from None
    except (KeyError, TypeError, IndexError) as error:
        raise Unreadable(f"not the schema ({type(error).__name__})") from None
    if not FEWEST <= len(items) <= MOST:
        raise Unreadable(f"{len(items)} items, not {FEWEST} to {MOST}")
    return items


def _item(row: Any, guides: Sequence[Guide]) -> Drafted:
    number, text, weight = row["principle"], row["criterion"], row["weight"]
    counts = all(isinstance(value, int) and not isinstance(value, bool) for value in (number, weight))
    if not counts or not isinstance(text, str) or row["polarity"] not in {"must", "must_not"}:
        raise Unreadable("an item has a field of the wrong kind")
    if not 1 <= number <= len(guides) or not 1 <= weight <= 10:
        raise Unreadable("an item's principle or weight is out of range")
    text = " ".join(whole(text).split())
    if not text or len(text) > _LONGEST:
        raise Unreadable("a criterion is empty or too long")
    return Drafted(guides[number - 1].id, text, row["polarity"] == "must", weight)
