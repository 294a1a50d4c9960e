"""The bodies of our own routes."""

from typing import Annotated, Literal

from pydantic import Field

from service.gateway.messages import Messages
from service.gateway.reading import Body

MAX_BATCH = 64
AudienceName = Literal["patient", "clinician"]


class OptionsBody(Body):
    """What one request may choose; the gateway's own limits stand above it."""

    max_revisions: int | None = Field(default=None, ge=0)
    revision_style: Literal["edits", "rewrite", "auto"] = "auto"
    max_principles: int = Field(default=10, ge=1, le=20)
    max_criteria: int = Field(default=10, ge=1, le=40)
    deadline_ms: int | None = Field(default=None, ge=1)


class Terms(Body):
    """Who reads the answer, what it is for, and how much work it may be."""

    audience: AudienceName | None = None
    purpose: Literal["answer", "chore"] | None = None
    options: OptionsBody = OptionsBody()


class ChatBody(Terms):
    """POST /chat. `provisional` asks a stream for the draft before it is judged, where the tenant allows it."""

    messages: Messages
    stream: bool = False
    provisional: bool = False


class CheckedAnswer(Terms):
    """A conversation and the answer that some other model wrote to it."""

    messages: Messages
    answer: str = Field(min_length=1, max_length=200_000, pattern=r"\S")
    revise: bool = False


class CheckBody(Body):
    """POST /check in its batch form: old logs, each judged on its own."""

    items: Annotated[list[CheckedAnswer], Field(min_length=1, max_length=MAX_BATCH)]


class ScreenBody(Body):
    """POST /screen."""

    messages: Messages
    audience: AudienceName | None = None


class SearchBody(Body):
    """POST /principles/search."""

    query: str = Field(min_length=1, max_length=4000, pattern=r"\S")
    limit: int = Field(default=10, ge=1, le=50)
