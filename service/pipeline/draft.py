"""Draft: the served model's answer, guided by the principles."""

from collections.abc import Callable
from dataclasses import replace

from service.domain.answer import Candidate
from service.domain.assessment import Assessment
from service.domain.completion import Ask, Prompt, Usage
from service.domain.errors import EngineGarbled
from service.pipeline.briefing import brief
from service.pipeline.ports import Engine


async def draft(
    assessment: Assessment, *, engine: Engine, max_tokens: int, on_text: Callable[[str], None] | None = None
) -> tuple[Candidate, Usage]:
    """The draft, with the duty's words before it.

    Raises:
        EngineError: the engine failed, the deadline passed, or it called what it was not offered.

    """
    enquiry = assessment.enquiry
    asked = enquiry.sampling.max_tokens or max_tokens
    sampling = replace(enquiry.sampling, max_tokens=min(asked, max_tokens))
    ask = Ask(
        Prompt(brief(assessment, duty=assessment.duty), enquiry.shape), sampling, cache_salt=enquiry.tenant.cache_salt
    )
    completion = await engine.complete(ask, deadline=enquiry.deadline, on_text=on_text)
    offered = {tool.name for tool in enquiry.shape.tools if enquiry.shape.tool_choice != "none"}
    if any(call.name not in offered for call in completion.tool_calls):
        raise EngineGarbled("the engine called a tool that it was not offered")
    candidate = Candidate(
        body=completion.text.strip(),
        duty=assessment.duty,
        tool_calls=completion.tool_calls,
        finish_reason=completion.finish_reason,
    )
    return candidate, completion.usage
