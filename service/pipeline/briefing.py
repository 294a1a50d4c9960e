"""The messages that every stage's prompt starts with, from an assessment."""

from service.domain.answer import Candidate
from service.domain.assessment import Assessment, Expertise
from service.domain.conversation import Message, Role
from service.domain.enquiry import Audience
from service.prompts.base import base
from service.prompts.control import neutralise


def reader(assessment: Assessment) -> Audience:
    """Who reads: as the request or the person says, else as the scenario suggests."""
    if assessment.audience is not None:
        return assessment.audience
    professional = assessment.scenario.expertise is Expertise.PROFESSIONAL
    return Audience.CLINICIAN if professional else Audience.PATIENT


def brief(assessment: Assessment, *, duty: str) -> tuple[Message, ...]:
    """System message, conversation and guide; `duty` is what the answer opens with."""
    return base(
        assessment.enquiry.conversation,
        principles=[principle.statement for principle in assessment.principles],
        audience=reader(assessment),
        duty=duty,
        own_language=assessment.language != "en",
    )


def answered(assessment: Assessment, candidate: Candidate) -> tuple[Message, ...]:
    """The brief with the candidate as the assistant's turn; tool calls are shown as text, for they are judged too."""
    calls = [f"[calls {call.name} with {call.arguments}]" for call in candidate.tool_calls]
    text = "\n".join([candidate.text, *calls] if candidate.text else calls)
    return (*brief(assessment, duty=candidate.duty), Message(Role.ASSISTANT, neutralise(text)))
