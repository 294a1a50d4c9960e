"""Edits: insertions, replacements and deletions of the draft's sentences, and how they are applied to the letter."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from service.domain.assessment import Criterion
from service.domain.conversation import Message, Role
from service.prompts.control import neutralise
from service.prompts.sentences import opening, split
from service.prompts.wishes import wishes

# The lines that head what is asked for.
HEADINGS = ("Mend your answer above with few edits.", "Its sentences start:")
_INSTRUCTION = (
    f"{HEADINGS[0]}\n{{wishes}}\n"
    f"{HEADINGS[1]}\n{{sentences}}\n"
    "Reply with JSON edits: insert (after that sentence, 0 for the start), replace or delete."
)
OWN_WORDS = tuple(_INSTRUCTION.replace("{sentences}", "{wishes}").split("{wishes}"))
MAX_EDITS = 8
# An escape like \ud83d without its other half: JSON allows it, and no UTF-8 can be written of it.
_HALF = re.compile(r"[\ud800-\udfff]")


class Op(StrEnum):
    """What an edit does to the sentence it names."""

    INSERT = "insert"
    REPLACE = "replace"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Edit:
    """`sentence` counts from 1; an insertion goes after it, and 0 is the start. A deletion's text is empty."""

    op: Op
    sentence: int
    text: str = ""


class EditsRejected(ValueError):
    """The edits cannot be applied; the message says why, without the text."""


SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {
            "edits": {
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_EDITS,
                "items": {
                    "type": "object",
                    "properties": {
                        "op": {"type": "string", "enum": [op.value for op in Op]},
                        "sentence": {"type": "integer", "minimum": 0, "maximum": 999},
                        "text": {"type": "string"},
                    },
                    "required": ["op", "sentence", "text"],
                    "additionalProperties": False,
                },
            }
        },
        "required": ["edits"],
        "additionalProperties": False,
    },
    separators=(",", ":"),
)


def instruction(body: str, targets: Sequence[Criterion]) -> Message:
    """Asks for edits of `body`; each sentence is named by its number and first words, never copied."""
    named = "\n".join(f"{number}. {neutralise(opening(text))}" for number, text in enumerate(split(body), start=1))
    return Message(Role.USER, _INSTRUCTION.format(wishes=wishes(targets), sentences=named))


def write(edits: Sequence[Edit]) -> str:
    """The reply that says these edits: what training teaches."""
    items = [{"op": e.op.value, "sentence": e.sentence, "text": e.text} for e in edits]
    return json.dumps({"edits": items}, ensure_ascii=False, separators=(",", ":"))


def read(reply: str) -> tuple[Edit, ...]:
    """The edits in a reply.

    Raises:
        EditsRejected: the reply is not exactly the schema (truncated JSON is not).

    """
    try:
        parsed = json.loads(reply)
    except (ValueError, RecursionError) as error:
        raise EditsRejected("the reply is not JSON") from error
    if not isinstance(parsed, dict) or parsed.keys() != {"edits"} or not isinstance(parsed["edits"], list):
        raise EditsRejected("the reply has no list of edits")
    if not 1 <= len(parsed["edits"]) <= MAX_EDITS:
        raise EditsRejected(f"between 1 and {MAX_EDITS} edits are taken")
    return tuple(_edit(item) for item in parsed["edits"])


def _edit(item: object) -> Edit:
    match item:
        case {"op": str(op), "sentence": int(sentence), "text": str(text), **rest} if not rest:
            if isinstance(sentence, bool) or op not in set(Op):
                raise EditsRejected("an edit has an unknown op or a sentence that is no number")
            if _HALF.search(text):
                raise EditsRejected("an edit's text holds half a character")
            return Edit(Op(op), sentence, text)
        case _:
            raise EditsRejected("an edit lacks op, sentence or text, or has more")


def apply(body: str, edits: Sequence[Edit]) -> str:
    """The body with its edits; sentences that no edit names stay to the letter. An edit said twice is one edit.

    Raises:
        EditsRejected: a sentence is out of range or changed in two ways, a text is empty, or nothing would be left.

    """
    edits = tuple(dict.fromkeys(edits))  # small models repeat themselves, and what they mean is plain
    sentences = split(body)
    _check(edits, count=len(sentences))
    changes = {e.sentence: e for e in edits if e.op is not Op.INSERT}
    pieces = [_inserted(edits, after=0)]
    for number, sentence in enumerate(sentences, start=1):
        pieces += [_changed(sentence, changes.get(number)), _inserted(edits, after=number)]
    mended = _join(pieces)
    if not mended.strip():
        raise EditsRejected("the edits leave nothing")
    return mended


def _check(edits: Sequence[Edit], *, count: int) -> None:
    seen: set[tuple[bool, int]] = set()
    for edit in edits:
        first = 0 if edit.op is Op.INSERT else 1
        if not first <= edit.sentence <= count:
            raise EditsRejected(f"sentence {edit.sentence} is out of range {first} to {count}")
        if (edit.op is Op.DELETE) != (not edit.text.strip()):
            raise EditsRejected("an insertion or replacement needs a text, and a deletion takes none")
        place = (edit.op is Op.INSERT, edit.sentence)
        if place in seen:
            raise EditsRejected(f"sentence {edit.sentence} is edited in two ways")
        seen.add(place)


def _inserted(edits: Sequence[Edit], *, after: int) -> str:
    return next((e.text.strip() for e in edits if e.op is Op.INSERT and e.sentence == after), "")


def _changed(sentence: str, edit: Edit | None) -> str:
    if edit is None:
        return sentence
    kept_space = sentence[len(sentence.rstrip()) :]
    return "" if edit.op is Op.DELETE else edit.text.strip() + kept_space


def _join(pieces: Sequence[str]) -> str:
    """Put a space between pieces where neither side has any."""
    text = ""
    for piece in pieces:
        if text and piece and not text[-1].isspace() and not piece[0].isspace():
            text += " "
        text += piece
    return text
