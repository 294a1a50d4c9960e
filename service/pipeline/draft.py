"""Draft: the served model's answer, guided by the principles."""

from collections.abc import Callable
from dataclasses import replace

from service.domain.answer import Candidate
from service.domain.assessment import Assessment
from service.domain.completion import Ask, Prompt, Usage
from service.domain.deadline import Deadline
from service.domain.errors import EngineError, EngineGarbled, EngineRefused, InvalidRequest
from service.pipeline.briefing import brief
from service.pipeline.ports import Engine
from service.prompts.thinking import spoken


async def draft(
    assessment: Assessment, *, engine: Engine, max_tokens: int, on_text: Callable[[str], None] | None = None
) -> tuple[Candidate, Usage]:
    """The draft, with the duty's words before it.

    Raises:
        EngineError: the engine failed, the deadline passed, or it called what it was not offered.
        InvalidRequest: the engine cannot hold an answer to the schema that is asked for.

    """
    enquiry = assessment.enquiry
    asked = enquiry.sampling.max_tokens or max_tokens
    sampling = replace(enquiry.sampling, max_tokens=min(asked, max_tokens))
    ask = Ask(
        Prompt(brief(assessment, duty=assessment.duty), enquiry.shape), sampling, cache_salt=enquiry.tenant.cache_salt
    )
    try:
        completion = await engine.complete(ask, deadline=enquiry.deadline, on_text=on_text)
    except EngineRefused as error:
        if await _refuses_the_schema(ask, engine=engine, deadline=enquiry.deadline):
            said = "response_format: the model's server cannot hold an answer to this schema"
            raise InvalidRequest(said, param="response_format", code="schema_refused") from error
        raise
    offered = {tool.name for tool in enquiry.shape.tools if enquiry.shape.tool_choice != "none"}
    if any(call.name not in offered for call in completion.tool_calls):
        raise EngineGarbled("the engine called a tool that it was not offered")
    candidate = Candidate(
        body=spoken(completion.text).strip(),
        duty=assessment.duty,
        tool_calls=completion.tool_calls,
        finish_reason=completion.finish_reason,
    )
    return candidate, completion.usage


async def _refuses_the_schema(ask: Ask, *, engine: Engine, deadline: Deadline) -> bool:
    """Whether a refused ask is taken without its schema. Servers do not say in one way what they refused."""
    if ask.prompt.shape.schema is None:
        return False
    shapeless = replace(ask.prompt, shape=replace(ask.prompt.shape, schema=None))
    try:
        await engine.complete(
            replace(ask, prompt=shapeless, sampling=replace(ask.sampling, max_tokens=1)), deadline=deadline
        )
    except EngineError:
        return False
    return True
