"""The outside world as the pipeline sees it: Protocols, each implemented in one place and faked in the tests."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from service.domain.answer import Candidate
from service.domain.assessment import Assessment, Criterion, Retrieved, Scenario
from service.domain.completion import Ask, Completion, Usage
from service.domain.deadline import Deadline
from service.domain.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Abilities:
    """What an engine was found to do when it was probed.

    `context_tokens` is the longest prompt and reply together. `checkpoint_digest` is empty where it is not known.
    `reasoning`: the model can think before it drafts, and is told how long.
    """

    model: str
    context_tokens: int
    probabilities: bool
    json_schema: bool
    cached_tokens: bool
    checkpoint_digest: str = ""
    demonstration: bool = False
    reasoning: bool = False


class Engine(Protocol):
    """Where tokens come from."""

    @property
    def abilities(self) -> Abilities:
        """What was found by `start`."""
        ...

    async def complete(
        self, ask: Ask, *, deadline: Deadline, on_text: Callable[[str], None] | None = None
    ) -> Completion:
        """One reply; `on_text` is called with each piece as it comes.

        Cancelling the task ends the upstream call.

        Raises:
            EngineError: it failed, or the deadline passed.

        """
        ...

    async def count_tokens(self, text: str, *, deadline: Deadline) -> int | None:
        """Tokens of the text, or None where the engine has no tokenizer to ask."""
        ...


class Judge(Protocol):
    """Who says what an answer does of each criterion: the served model, another model, or a small one of our own."""

    @property
    def name(self) -> str:
        """Which judge it is, for provenance."""
        ...

    @property
    def digest(self) -> str:
        """SHA-256 of what it judges with: its model, its words and its threshold; empty while that is not known."""
        ...

    @property
    def calibrated(self) -> bool:
        """Whether its threshold was fitted to people's labels. Provenance warns of one that was not."""
        ...

    async def judge(
        self, assessment: Assessment, candidate: Candidate, criteria: Sequence[Criterion]
    ) -> tuple[tuple[Verdict, ...], Usage]:
        """One verdict a criterion, in their order, and what the model calls cost. What fails is unknown."""
        ...


@dataclass(frozen=True, slots=True)
class Hits:
    """What the principles' store says of a query.

    `nearest` is nearest first; `flagged` belong to the red-flag families asked for; `outside` apply to questions that
    have nothing to do with health, which `health` tells: about 1 for one about health, about -1 for another. `passage`
    tells it of a part of a question, where what says little says nothing (0).
    `digest` is that of the principles that were searched.
    """

    scenario: Scenario
    nearest: tuple[Retrieved, ...]
    always_on: tuple[Retrieved, ...]
    flagged: tuple[Retrieved, ...]
    outside: tuple[Retrieved, ...]
    health: float
    passage: float
    digest: str


class Principles(Protocol):
    """The principles' store: one encoding of the query answers scenario and search."""

    async def consult(self, query: str, *, families: Sequence[str], limit: int) -> Hits:
        """Answer what a query is about: its scenario, and the principles that are near, always apply, or are flagged.

        Raises:
            StoreError: the index is empty or cannot be used.

        """
        ...
