"""A model's first draft of the rubric behind a preference: an example in; items out, for a clinician to refine."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from service.domain.conversation import Message, Role
from service.prompts.control import neutralise
from training.claim import OtherWork
from training.journal import Journal
from training.models import Model, ModelFailed
from training.preferences.examples import Example

FEWEST: Final = 2
MOST: Final = 12
_LONGEST: Final = 300
_PATIENCE: Final = 5
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
                    "criterion": {"type": "string", "maxLength": _LONGEST},
                    "polarity": {"enum": ["must", "must_not"]},
                    "weight": {"type": "integer", "minimum": 1, "maximum": 10},
                },
                "required": ["criterion", "polarity", "weight"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["items"],
    "additionalProperties": False,
}
_ASK = """\
A clinician read two answers to a question about health and preferred the first.

<conversation>
{conversation}
</conversation>

<preferred>
{preferred}
</preferred>

<other>
{other}
</other>

Why, in the clinician's words: {why}

Write {fewest} to {most} criteria by which a marker who sees only one answer would come to the same preference.
- One thing a criterion, told from an answer's words alone. Begin with a verb: "Tells ...", "Asks ...".
- "must": a good answer does it. "must_not": a bad answer does it; then name the bad thing itself.
- Weight 1 to 10: what could hurt the person weighs most.

Reply with JSON: {{"items": [{{"criterion": "...", "polarity": "must", "weight": 7}}]}}."""

_PROMPT: Final = hashlib.sha256(json.dumps([_ASK, SCHEMA], sort_keys=True).encode()).hexdigest()
_NAMES: Final = {"texts": "example's texts", "model": "model", "prompt": "prompt"}


class Unreadable(ValueError):
    """The text is not a rubric; the message says what was wrong."""


@dataclass(frozen=True, slots=True)
class Item:
    """A criterion as drafted or refined; `number` is its place in the draft, from 1, where a review says it."""

    criterion: str
    polarity: str
    weight: int
    number: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """As files hold it."""
        numbered = {} if self.number is None else {"item": self.number}
        return {**numbered, "criterion": self.criterion, "polarity": self.polarity, "weight": self.weight}


def items_of(rows: object) -> tuple[Item, ...]:
    """Items as a model or a reviewer wrote them, without their numbers.

    Raises:
        Unreadable: a field is missing, of the wrong kind or out of range.

    """
    if not isinstance(rows, list):
        raise Unreadable("items: should be a list")
    return tuple(_item(row, at) for at, row in enumerate(rows, start=1))


def _item(row: object, at: int) -> Item:
    match row:
        case {"criterion": str(text), "polarity": "must" | "must_not" as polarity, "weight": int(weight)}:
            text = " ".join(text.split())
            if text and len(text) <= _LONGEST and not isinstance(weight, bool) and 1 <= weight <= 10:
                return Item(text, polarity, weight)
    raise Unreadable(
        f"item {at}: wants `criterion` (text, at most {_LONGEST} characters), `polarity` (must or must_not), "
        "`weight` (a whole number, 1 to 10)"
    )


def request(example: Example) -> tuple[Message, ...]:
    """The one message of the request."""
    conversation = "\n\n".join(f"{turn.role.value}: {neutralise(turn.content)}" for turn in example.conversation)
    asked = _ASK.format(
        conversation=conversation,
        preferred=neutralise(example.preferred),
        other=neutralise(example.other),
        why=neutralise(example.why) or "(not said)",
        fewest=FEWEST,
        most=MOST,
    )
    return (Message(Role.USER, asked),)


def read(reply: str) -> tuple[Item, ...]:
    """The items of a reply.

    Raises:
        Unreadable: it is not JSON of the schema.

    """
    try:
        items = items_of(json.loads(reply)["items"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Unreadable(f"not the schema ({type(error).__name__})") from None
    if not FEWEST <= len(items) <= MOST:
        raise Unreadable(f"{len(items)} items, not {FEWEST} to {MOST}")
    return items


def _made_from(example: Example, model: str) -> dict[str, str]:
    return {"texts": example.digest, "model": model, "prompt": _PROMPT}


def _check(example: Example, model: str, drafts: Journal) -> None:
    """A draft is held against what it would be made from now, as a folder of synthesis is against its plan."""
    if example.id not in drafts:
        return
    was = drafts[example.id]
    for name, value in _made_from(example, model).items():
        if was.get(name) != value:
            known = f" ({was['model']}, not {model})" if name == "model" and "model" in was else ""
            raise OtherWork(
                f"example {example.id}: {drafts.path} holds a draft of another {_NAMES[name]}{known} under this id: "
                "choose another folder, or give the row an id of its own"
            )


async def draft(example: Example, model: Model, drafts: Journal, *, tries: int = 2) -> Unreadable | ModelFailed | None:
    """Writes the example's draft to the journal, or gives why there is none; then it is left for the next run."""
    form = {"type": "json_schema", "json_schema": {"name": "rubric", "schema": SCHEMA, "strict": True}}
    why: Unreadable | None = None
    for attempt in range(tries):
        try:
            reply = await model.ask(
                request(example),
                temperature=0.7 if attempt else 0.0,
                seed=attempt,
                max_tokens=1500,
                response_format=form,
            )
            items = read(reply.text)
        except ModelFailed as error:  # it tries again itself wherever that may help
            return error
        except Unreadable as error:
            why = error
            continue
        made_from = _made_from(example, model.endpoint.model)
        drafts.append(example.id, {"items": [item.as_dict() for item in items], **made_from})
        return None
    return why


@dataclass(slots=True)
class Shortfall:
    """What a run could not draft: `why` is the first reason, with no words of a prompt or a reply.

    `silent` counts the latest examples in a row that got no reply at all, by which a run knows that it should stop.
    """

    failed: int = 0
    why: str = ""
    silent: int = 0
    stopped: bool = False

    def note(self, outcome: Unreadable | ModelFailed | None) -> None:
        """Counts one example's outcome."""
        self.silent = self.silent + 1 if isinstance(outcome, ModelFailed) else 0
        if outcome is not None:
            self.failed += 1
            self.why = self.why or str(outcome)


async def draft_all(
    examples: Iterable[Example], model: Model, drafts: Journal, *, progress: Callable[[], None] = lambda: None
) -> Shortfall:
    """Drafts for all examples that have none yet, as many at once as the model takes, and what it could not draft.

    Stops where as many in a row as are asked at once got no reply at all: nothing answers there.

    Raises:
        OtherWork: a draft that is there was made from other texts, by another model or with another prompt. Nothing is
            asked then.

    """
    examples = list(examples)
    for example in examples:
        _check(example, model.endpoint.model, drafts)
    places = asyncio.Semaphore(model.endpoint.concurrency)
    patience = max(model.endpoint.concurrency, _PATIENCE)
    shortfall = Shortfall()

    async def one(example: Example) -> None:
        try:
            shortfall.note(await draft(example, model, drafts))
        finally:
            places.release()
            progress()

    async with asyncio.TaskGroup() as group:
        for example in examples:
            if example.id in drafts:
                progress()
                continue
            await places.acquire()
            if shortfall.silent >= patience:
                shortfall.stopped = True
                break
            group.create_task(one(example))
    return shortfall
