"""What a tool call would carry out of the house is looked into as an answer's text is."""

import pytest

from service.domain.answer import Candidate
from service.domain.conversation import ToolCall
from service.pipeline.disclosure import discloses
from service.prompts.base import SYSTEM
from tests.unit.test_gateway_replies import ASSESSMENT


@pytest.mark.parametrize(
    "arguments",
    ['{"body":"' + SYSTEM + '"}', '{"body":["' + SYSTEM.replace(" ", "\\n") + '"]}', SYSTEM],
    ids=["json", "lines", "no-json"],
)
def test_a_tool_call_is_looked_into(arguments: str) -> None:
    candidate = Candidate("", tool_calls=(ToolCall("1", "send", arguments),))
    assert discloses(candidate, ASSESSMENT)
    assert not discloses(Candidate("", tool_calls=(ToolCall("1", "send", '{"body":"Rest."}'),)), ASSESSMENT)
