"""A row: what a model is asked, the rubric of its reply, and, where the generator made it, the rules that read it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from service.domain.conversation import Message
from service.prompts import edits
from training.reward.rubric import Rubric

QUOTES = "Says the person's words back to the letter, in quotation marks."
APPLIES = "The edits can be read and applied."
RIGHT = "Says of the criterion what is so."


class Kind(StrEnum):
    """What the model does: drafts, edits a draft, or says of a draft whether it does one thing."""

    DRAFT = "draft"
    EDITS = "edits"
    VERDICT = "verdict"


@dataclass(frozen=True, slots=True)
class Row:
    """A prompt and its rubric. `wordings` are, by criterion, sentences known to do it: for generated prompts only.

    `body` is the draft that edits are to mend; empty for the other kinds.
    """

    id: str
    prompt: tuple[Message, ...]
    rubric: Rubric
    wordings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    kind: Kind = Kind.DRAFT
    body: str = ""

    @property
    def turns(self) -> list[dict[str, str]]:
        """The prompt as TRL takes it."""
        return [{"role": turn.role.value, "content": turn.content} for turn in self.prompt]

    def is_held_out(self, one_in: int) -> bool:
        """Whether it is for evaluation."""
        return is_held_out(self.id, one_in)

    def does(self, reply: str, criterion: str) -> bool | None:
        """Whether one of the known wordings stands in the reply; None where none is known.

        Edits are read as the gateway reads them: what they make of the draft counts, and edits that do not apply leave
        it as it was.
        """
        mended = self.mended(reply) if self.kind is Kind.EDITS else reply
        if criterion == APPLIES:
            return mended is not None
        if (texts := self.wordings.get(criterion)) is None:
            return None
        if self.kind is Kind.VERDICT:
            return reply.strip() in texts
        read = self.body if mended is None else mended
        return any(text in read for text in texts)

    def mended(self, reply: str) -> str | None:
        """The draft with a reply's edits, or None where they cannot be read or applied."""
        try:
            return edits.apply(self.body, edits.read(reply))
        except edits.EditsRejected:
            return None


def is_held_out(name: str, one_in: int) -> bool:
    """Whether a row of this id is for evaluation: by its id alone, so that no file or order can change it.

    What stands after a # tells apart the tasks of one dialogue, which are held out together.
    """
    return int(hashlib.sha256(name.partition("#")[0].encode()).hexdigest(), 16) % one_in == 0
