"""What is known of an enquiry before a word of the answer is drafted."""

from dataclasses import dataclass
from enum import StrEnum

from service.domain.enquiry import Audience, Enquiry


class Urgency(StrEnum):
    """How soon the person needs care."""

    EMERGENT = "emergent"
    URGENT = "urgent"
    ROUTINE = "routine"


class Uncertainty(StrEnum):
    """What is not known: nothing that matters, facts that asking would bring, or what medicine itself does not know."""

    NONE = "none"
    REDUCIBLE = "reducible"
    IRREDUCIBLE = "irreducible"


class Expertise(StrEnum):
    """How the reader reads."""

    LAY = "lay"
    PROFESSIONAL = "professional"


class TaskType(StrEnum):
    """What is wanted."""

    TRIAGE = "triage"
    TREATMENT = "treatment"
    INTERPRETATION = "interpretation"
    EDUCATION = "education"
    SUPPORT = "support"
    DOCUMENTATION = "documentation"
    TRANSLATION = "translation"
    BOUNDARY = "boundary"


class Polarity(StrEnum):
    """Whether the thing a criterion names must be in the answer, or must not."""

    MUST = "must"
    MUST_NOT = "must_not"


class Notice(StrEnum):
    """What the caller should know of how the enquiry was read; carried in provenance."""

    CONVERSATION_TRUNCATED = "conversation_truncated"
    CONTROL_TOKENS_NEUTRALISED = "control_tokens_neutralised"
    LANGUAGE_NOT_READ = "language_not_read"
    OUTSIDE_HEALTH = "outside_health"
    REVISIONS_REDUCED = "revisions_reduced"
    JUDGE_UNCALIBRATED = "judge_uncalibrated"
    DEMONSTRATION_MODEL = "demonstration_model"
    SCREENED_BY_RULES_ALONE = "screened_by_rules_alone"


@dataclass(frozen=True, slots=True)
class Span:
    """Where in the conversation: message index, and character offsets [start, end) in its text."""

    message: int
    start: int
    end: int


class FlagSource(StrEnum):
    """What found a red flag: the rules, or the learned head where the rules found none."""

    RULES = "rules"
    HEAD = "head"


@dataclass(frozen=True, slots=True)
class RedFlag:
    """A sign that someone may be in danger now: its family, where it stands, what must be said, what found it."""

    family: str
    evidence: Span
    advice: str
    source: FlagSource = FlagSource.RULES


@dataclass(frozen=True, slots=True)
class Danger:
    """The red flags of a conversation, and what must be said about them together."""

    red_flags: tuple[RedFlag, ...]
    advice: str


@dataclass(frozen=True, slots=True)
class Scenario:
    """The four dimensions of an enquiry."""

    urgency: Urgency
    uncertainty: Uncertainty
    expertise: Expertise
    task_type: TaskType


@dataclass(frozen=True, slots=True)
class Criterion:
    """One checkable thing. `id` is unique over the store: `<principle id>#<criterion>`."""

    id: str
    principle_id: str
    text: str
    weight: int
    polarity: Polarity


@dataclass(frozen=True, slots=True)
class Retrieved:
    """A principle that matters for this enquiry, how near it lies (cosine; 1.0 when it always applies), its score in
    the store's order of relevance, which counts shared words, labelled questions and the scenario too.
    """  # noqa: D205 - one sentence too long for one line

    id: str
    title: str
    statement: str
    dimension: str
    level: str
    version: str
    similarity: float
    criteria: tuple[Criterion, ...]
    always_on: bool = False
    relevance: float = 1.0


@dataclass(frozen=True, slots=True)
class Assessment:
    """An enquiry with its red flags, scenario, principles and rubric: all that the draft is made from.

    `rubric` is ordered: the criteria that are never dropped first, then by weight and similarity. `writer` is who the
    person says they are, where the request does not say who reads.
    """

    enquiry: Enquiry
    red_flags: tuple[RedFlag, ...]
    scenario: Scenario
    principles: tuple[Retrieved, ...]
    rubric: tuple[Criterion, ...]
    duty: str = ""
    language: str = "en"
    principles_digest: str = ""
    notices: frozenset[Notice] = frozenset()
    writer: Audience | None = None

    @property
    def audience(self) -> Audience | None:
        """Who reads: as the request says, else as the person says of themselves."""
        return self.enquiry.audience or self.writer
