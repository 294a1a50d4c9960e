"""What is asked of every engine: held-out dialogues in, the prompts of a draft, a verdict and edits out."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from service.domain.conversation import Message, Role
from training.dialogues import library
from training.dialogues.dialogue import Source
from training.dialogues.words import Split

_REPLY_TOKENS = 200
# Of dialogues that no figure of the model card is measured on.
_SEED = 50


class Kind(StrEnum):
    """Which part the model plays."""

    DRAFT = "draft"
    VERDICT = "verdict"
    EDITS = "edits"


@dataclass(frozen=True, slots=True)
class Ask:
    """A prompt, and how many tokens a reply may have."""

    kind: Kind
    turns: tuple[Message, ...]
    most: int

    def body(self) -> list[dict[str, str]]:
        """The turns as OpenAI's API writes them."""
        return [{"role": turn.role.value, "content": turn.content} for turn in self.turns]


def asks(dialogues: int, *, root: library.Library | None = None) -> tuple[Ask, ...]:
    """A draft of each dialogue, and a verdict and edits where the generator asks for them."""
    everything = root or library.load()
    source = Source(everything, library.queries(), _SEED, Split.HELD_OUT, tuple(everything.trained))
    return tuple(ask for number in range(dialogues) for ask in _of(source, number))


def _of(source: Source, number: int) -> Iterator[Ask]:
    dialogue = source.dialogue(number)
    prompt = dialogue.setting.prompt
    yield Ask(Kind.DRAFT, prompt, _REPLY_TOKENS)
    for kind, most in ((Kind.VERDICT, 1), (Kind.EDITS, _REPLY_TOKENS)):
        found = ((answer, branch) for answer in dialogue.answers for branch in answer.branches if branch.stage == kind)
        for answer, branch in found:
            yield Ask(kind, (*prompt, Message(Role.ASSISTANT, answer.text), branch.instruction), most)
            break
