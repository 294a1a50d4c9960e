"""What was asked, by whom, and on which terms: the first record of the chain."""

import json
from dataclasses import dataclass, field
from enum import StrEnum

from service.domain.conversation import Conversation
from service.domain.deadline import Deadline


class Audience(StrEnum):
    """Who will read the answer."""

    PATIENT = "patient"
    CLINICIAN = "clinician"


class RevisionStyle(StrEnum):
    """How a draft is mended: sentence edits, a whole new text, or whichever suits."""

    EDITS = "edits"
    REWRITE = "rewrite"
    AUTO = "auto"


class Purpose(StrEnum):
    """What a text is for: a person's question answered, or a chore of the app, such as a title or tags."""

    ANSWER = "answer"
    CHORE = "chore"


class FailurePolicy(StrEnum):
    """What a tenant wants when an answer does not pass."""

    FAIL_CLOSED = "fail_closed"
    SAFE_MESSAGE = "safe_message"
    RELEASE_FLAGGED = "release_flagged"


@dataclass(frozen=True, slots=True)
class Options:
    """What one request may choose. Counts are upper bounds; `whole` is read whole or refused."""

    max_revisions: int = 2
    revision_style: RevisionStyle = RevisionStyle.AUTO
    max_principles: int = 10
    max_criteria: int = 10
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the draft is sampled, and how long the model thinks before it; None leaves a choice to the engine."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    reasoning_effort: str | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """A function the model may call; `parameters` is its JSON schema as text."""

    name: str
    description: str
    parameters: str


@dataclass(frozen=True, slots=True)
class Shape:
    """What the answer must be besides prose: tools it may call, a JSON schema it must fit.

    `schema` is a JSON schema as text; `json_object` asks for any JSON object.
    """

    tools: tuple[Tool, ...] = ()
    tool_choice: str | None = None
    schema: str | None = None
    schema_name: str = "answer"
    json_object: bool = False

    @property
    def structured(self) -> bool:
        """Whether the answer is JSON rather than prose."""
        return self.schema is not None or self.json_object

    def fits(self, text: str) -> bool:
        """Whether a text is the JSON that was asked for, as far as that shows without the schema."""
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            return False
        return self.schema is not None or (self.json_object and isinstance(value, dict))


@dataclass(frozen=True, slots=True)
class Tenant:
    """An app behind one API key, and its policy.

    `release_line` is the weight from which a criterion must be met for an answer to be released; where none of a
    rubric is so heavy, its heaviest must be. `cache_salt` keeps its part of the model's prefix cache apart: whoever
    could share another's would learn from the time of a reply what was said there.

    `policy_status` is the HTTP status where the policy stands in for an answer: 200, or a 4xx. With `engine_errors` an
    engine's failure is an error rather than the policy's answer, unless a red flag must be answered. `chores` lets
    requests for a chore go unjudged. An `operator` may read every tenant's audit entries, and replay them.
    """

    name: str
    failure_policy: FailurePolicy = FailurePolicy.SAFE_MESSAGE
    release_line: int = 7
    requests_per_minute: int | None = None
    provisional_drafts: bool = False
    policy_status: int = 200
    engine_errors: bool = False
    chores: bool = False
    operator: bool = False
    cache_salt: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Enquiry:
    """One admitted request. `revisions_reduced` where so many waited that `options` grant less than was asked.

    `user` is the app's own name for the person who asks; only its keyed hash is written down.
    """

    id: str
    tenant: Tenant
    conversation: Conversation
    deadline: Deadline
    audience: Audience | None = None
    options: Options = field(default_factory=Options)
    sampling: Sampling = field(default_factory=Sampling)
    shape: Shape = field(default_factory=Shape)
    revisions_reduced: bool = False
    purpose: Purpose = Purpose.ANSWER
    user: str = field(default="", repr=False)
