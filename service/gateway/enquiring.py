"""A body, its tenant and the gateway's limits become an enquiry."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from service.domain.deadline import Deadline
from service.domain.enquiry import Audience, Enquiry, Options, Purpose, RevisionStyle, Sampling, Shape, Tenant
from service.domain.errors import InvalidRequest
from service.gateway.bodies import OptionsBody, Terms
from service.gateway.desk import Limits
from service.gateway.messages import MessageBody, conversation_of

CHAT = "chat_"
CHECK = "check_"
# For clients whose bodies cannot be changed.
PURPOSE = "x-clinalign-purpose"


@dataclass(frozen=True, slots=True)
class Wanted:
    """How the draft is to be sampled and shaped, and who asks for it: only OpenAI's routes choose.

    With `whole` a conversation that does not fit the model is refused rather than shortened. `purpose` is what a header
    says the text is for; the body's own word goes before it.
    """

    sampling: Sampling = field(default_factory=Sampling)
    shape: Shape = field(default_factory=Shape)
    user: str = ""
    whole: bool = False
    purpose: str | None = None


def new_id(prefix: str) -> str:
    """A name for one enquiry that nobody can guess."""
    return prefix + uuid.uuid4().hex


def enquire(
    messages: Sequence[MessageBody],
    terms: Terms,
    *,
    tenant: Tenant,
    limits: Limits,
    prefix: str = CHAT,
    at: str = "",
    wanted: Wanted | None = None,
    messages_at: str | None = None,
) -> Enquiry:
    """One enquiry; its deadline runs from now. `at` is the path of the terms in the body, with its dot.

    Raises:
        InvalidRequest: the messages make no conversation, or an option is beyond the gateway's limits.

    """
    options = _options(terms.options, limits=limits, at=f"{at}options")
    asked = wanted or Wanted()
    if asked.purpose not in {None, *Purpose}:
        raise InvalidRequest(f"{PURPOSE}: should be 'answer' or 'chore'", param=PURPOSE)
    return Enquiry(
        id=new_id(prefix),
        tenant=tenant,
        conversation=conversation_of(messages, at=messages_at or f"{at}messages"),
        deadline=Deadline.after((terms.options.deadline_ms or limits.deadline_ms) / 1000),
        audience=Audience(terms.audience) if terms.audience else None,
        options=replace(options, whole=asked.whole),
        sampling=asked.sampling,
        shape=asked.shape,
        purpose=Purpose(terms.purpose or asked.purpose or Purpose.ANSWER),
        user=asked.user,
    )


def _options(body: OptionsBody, *, limits: Limits, at: str) -> Options:
    _within(body.max_revisions, limits.max_revisions, at=f"{at}.max_revisions")
    _within(body.deadline_ms, limits.deadline_ms, at=f"{at}.deadline_ms")
    return Options(
        max_revisions=limits.max_revisions if body.max_revisions is None else body.max_revisions,
        revision_style=RevisionStyle(body.revision_style),
        max_principles=body.max_principles,
        max_criteria=body.max_criteria,
    )


def _within(value: int | None, most: int, *, at: str) -> None:
    if value is not None and value > most:
        raise InvalidRequest(f"{at}: should be at most {most} here", param=at)
