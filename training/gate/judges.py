"""Who judges for the gate: a folder comes in; a judge of answers by criteria, which gave no reward, goes out.

The small judge reads statements: of what a criterion only describes it sees little. A checkpoint of ours, served here,
is asked one criterion at a time, as the gateway asks.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from service.domain.answer import Candidate
from service.domain.assessment import Criterion
from service.domain.completion import TokenProbability
from service.domain.conversation import Message, Role
from service.domain.verdict import Presence
from service.entailment.reader import AnswerReader
from service.prompts import verdict
from training import gguf
from training.dialogues.dialogue import Dialogue
from training.export.manifest import digest
from training.llama import Llama

_WEIGHTS = "model.safetensors"


class OwnJudge(ValueError):
    """The judge is the candidate itself, whose word on its own answers is none."""


class Judge(Protocol):
    """A judge of answers."""

    @property
    def name(self) -> str:
        """Which one, for reports."""
        ...

    def read(self, dialogue: Dialogue, answer: str, criteria: Sequence[Criterion]) -> tuple[Presence, ...]:
        """Whether the answer does what each criterion names."""
        ...


class Asked(Protocol):
    """A served checkpoint, as far as verdicts need it."""

    def first_token(self, messages: Sequence[Message]) -> list[TokenProbability]:
        """The likeliest first tokens of its reply."""
        ...


@dataclass(frozen=True, slots=True)
class ByStatements:
    """The small judge, to which each criterion is a statement."""

    reader: AnswerReader

    @property
    def name(self) -> str:
        """Its name, version and digest."""
        return f"{self.reader.manifest.name}@{self.reader.manifest.version} ({self.reader.digest[:12]})"

    def read(self, dialogue: Dialogue, answer: str, criteria: Sequence[Criterion]) -> tuple[Presence, ...]:  # noqa: ARG002 - it reads answers by themselves
        """All criteria at once."""
        return self.reader.read(answer, [c.text for c in criteria])


@dataclass(frozen=True, slots=True)
class ByVerdicts:
    """A checkpoint of ours, asked of each criterion after prompt and answer."""

    name: str
    model: Asked

    def read(self, dialogue: Dialogue, answer: str, criteria: Sequence[Criterion]) -> tuple[Presence, ...]:
        """One after the other; the prefix is read once."""
        text = Candidate(answer, dialogue.setting.duty).text
        said = (*dialogue.setting.prompt, Message(Role.ASSISTANT, text))
        return tuple(verdict.read(self.model.first_token((*said, verdict.instruction(c.text)))) for c in criteria)


def check(judge: Path, candidate: Path) -> None:
    """Refuses a candidate that would judge itself, whatever its folder is called.

    Raises:
        OwnJudge: the two hold the same weights.

    """
    weights = [folder / _WEIGHTS for folder in (judge, candidate)]
    if all(path.is_file() for path in weights) and gguf.sha256(weights[0]) == gguf.sha256(weights[1]):
        raise OwnJudge(f"{judge} holds the candidate's own weights: name another judge, which gave no reward")


@contextmanager
def opened(folder: Path) -> Iterator[Judge]:
    """The judge in a folder: a checkpoint's, or the small judge's.

    Raises:
        CheckpointRefused: the checkpoint cannot be served.
        SettingsError: the small judge's folder cannot be used.

    """
    if not (folder / _WEIGHTS).exists():
        yield ByStatements(AnswerReader.load(folder))
        return
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "judge.gguf"
        gguf.write(folder, path)
        yield ByVerdicts(digest(folder), Llama(path))
