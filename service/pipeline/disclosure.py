"""Disclosure: a candidate that recites the instructions above the conversation, or falls into the form of our edits, is
no answer, whatever a judge says.

A judge reads criteria about care; none of them forbids reading the system message out, so this is checked in code.
"""  # noqa: D205 - one sentence too long for one line

import json
from collections.abc import Iterator

from service.domain.answer import Candidate
from service.domain.assessment import Assessment
from service.prompts.recital import recites
from service.prompts.scaffold import shows_scaffold


def discloses(candidate: Candidate, assessment: Assessment) -> bool:
    """Whether its words, or the strings in its tool calls, give the instructions away, or its body holds our edits."""
    if shows_scaffold(candidate.body, structured=assessment.enquiry.shape.structured):
        return True
    instructions = assessment.enquiry.conversation.instructions
    said = [candidate.body, *(text for call in candidate.tool_calls for text in _strings(call.arguments))]
    return any(recites(text, instructions=instructions) for text in said)


def _strings(arguments: str) -> Iterator[str]:
    """All that a call says; what is not JSON is taken as it stands."""
    try:
        value = json.loads(arguments)
    except (ValueError, RecursionError):
        yield arguments
        return
    yield json.dumps(value, ensure_ascii=False).replace("\\n", " ")
