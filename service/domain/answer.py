"""What leaves: a candidate that was judged, what was done to it, and the proof."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from service.domain.assessment import Assessment
from service.domain.completion import Usage
from service.domain.conversation import ToolCall
from service.domain.enquiry import RevisionStyle
from service.domain.verdict import Verdict, score


class Outcome(StrEnum):
    """How an enquiry ended."""

    RELEASED = "released"
    RELEASED_FLAGGED = "released_flagged"
    SAFE_MESSAGE = "safe_message"
    WITHHELD = "withheld"
    CHORE = "chore"


# The tenant's policy stands in the answer's place.
REFUSALS = frozenset({Outcome.SAFE_MESSAGE, Outcome.WITHHELD})


class Reason(StrEnum):
    """Why an enquiry ended otherwise than released."""

    CRITERIA_UNMET = "criteria_unmet"
    JUDGE_FAILED = "judge_failed"
    ENGINE_FAILED = "engine_failed"
    DEADLINE = "deadline"
    NOTHING_RETRIEVED = "nothing_retrieved"
    EMPTY_DRAFT = "empty_draft"
    RED_FLAG_CONTRADICTED = "red_flag_contradicted"
    INSTRUCTIONS_DISCLOSED = "instructions_disclosed"
    DOES_NOT_FIT = "does_not_fit"
    SCHEMA_UNMET = "schema_unmet"
    INTERNAL = "internal"


class RevisionReason(StrEnum):
    """Why a revision was taken or left."""

    BETTER = "better"
    NOT_BETTER = "not_better"
    LOST_A_WEIGHTY_CRITERION = "lost_a_weighty_criterion"
    LOST_A_CRITERION = "lost_a_criterion"
    UNREADABLE = "unreadable"
    UNCHANGED = "unchanged"
    DISCLOSES = "discloses"
    ENGINE_FAILED = "engine_failed"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An answer that might be released: the duty's words, which code wrote, and the body, which the model did."""

    body: str
    duty: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str = "stop"

    @property
    def text(self) -> str:
        """The whole answer as the person would read it."""
        return f"{self.duty}\n\n{self.body}" if self.duty and self.body else self.duty or self.body


@dataclass(frozen=True, slots=True)
class Judged:
    """A candidate with its verdicts, at revision round `round` (0 is the draft).

    `verdicts` are the accepting judge's; `guidance` those of the judge that guides revisions, where it is another.
    """

    candidate: Candidate
    verdicts: tuple[Verdict, ...]
    round: int = 0
    guidance: tuple[Verdict, ...] = ()

    @property
    def score(self) -> float:
        """In [0, 1], by the accepting judge."""
        return score(self.verdicts)

    @property
    def guiding(self) -> tuple[Verdict, ...]:
        """What the guiding judge found: what a revision is to mend."""
        return self.guidance or self.verdicts

    @property
    def by_judge(self) -> tuple[tuple[Verdict, ...], ...]:
        """The verdicts of each judge that decides over release."""
        return (self.verdicts, self.guidance) if self.guidance else (self.verdicts,)


@dataclass(frozen=True, slots=True)
class Revision:
    """One attempt at mending: the body `before`, and `after` as it would have read; None where it was not read.

    `judged` is what was found of it, where it was judged, accepted or not.
    """

    round: int
    style: RevisionStyle
    accepted: bool
    reason: RevisionReason
    score_before: float
    score_after: float | None
    targets: tuple[str, ...]
    before: str
    after: str | None = None
    judged: Judged | None = None


@dataclass(frozen=True, slots=True)
class Provenance:
    """What the answer was made with, by digest and version. `judge` guides revisions, `accept_judge` accepts them."""

    principles_digest: str
    prompts_digest: str
    model: str
    checkpoint_digest: str
    judge: str
    seed: int | None
    service_version: str
    notices: tuple[str, ...] = ()
    accept_judge: str = ""
    judge_digest: str = ""
    accept_judge_digest: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The end of the chain: the text that leaves, why it may, and what it cost.

    `draft` is the best candidate that was judged, whether it left or not; None when there was none. `first` is the
    draft as it was judged, and `trouble` what ended the work early, where something did.
    """

    assessment: Assessment
    text: str
    outcome: Outcome
    reason: Reason | None
    judged: Judged | None
    draft: Judged | None
    revisions: tuple[Revision, ...]
    usage: Mapping[str, Usage]
    timings_ms: Mapping[str, float]
    provenance: Provenance
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str = "stop"
    first: Judged | None = None
    trouble: Reason | None = None

    @property
    def total_usage(self) -> Usage:
        """All model calls together."""
        return sum(self.usage.values(), Usage())
