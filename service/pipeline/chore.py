"""Chore: a short text that no person is advised by leaves unjudged, where the tenant may ask for such."""

from dataclasses import replace

from service.domain.answer import Candidate
from service.domain.assessment import Assessment
from service.domain.completion import Ask, Prompt, Usage
from service.domain.conversation import Role
from service.domain.enquiry import Purpose
from service.pipeline.ports import Engine
from service.prompts import chore as words
from service.prompts.thinking import spoken

MAX_TOKENS = 64


def is_chore(assessment: Assessment) -> bool:
    """Whether the tenant may ask for it unjudged. A red flag or a tool, offered or used, makes it an answer."""
    enquiry = assessment.enquiry
    tools = enquiry.shape.tools or any(m.tool_calls or m.role is Role.TOOL for m in enquiry.conversation.messages)
    return enquiry.purpose is Purpose.CHORE and enquiry.tenant.chores and not assessment.red_flags and not tools


async def do(assessment: Assessment, *, engine: Engine) -> tuple[Candidate, Usage]:
    """The text, of at most `MAX_TOKENS` tokens and without a thought before it.

    Raises:
        EngineError: the engine failed or the deadline passed.

    """
    enquiry = assessment.enquiry
    asked = enquiry.sampling.max_tokens or MAX_TOKENS
    sampling = replace(enquiry.sampling, max_tokens=min(asked, MAX_TOKENS), reasoning_effort="none")
    ask = Ask(
        Prompt(words.messages(enquiry.conversation), enquiry.shape), sampling, cache_salt=enquiry.tenant.cache_salt
    )
    completion = await engine.complete(ask, deadline=enquiry.deadline)
    return Candidate(spoken(completion.text).strip(), finish_reason=completion.finish_reason), completion.usage
