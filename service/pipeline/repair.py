"""Repair: a draft that should have been JSON and is not; the same as JSON, or as it came, goes out."""

from dataclasses import dataclass, replace

from service.domain.answer import Candidate
from service.domain.assessment import Assessment
from service.domain.completion import Ask, Prompt, Usage
from service.domain.enquiry import Sampling
from service.pipeline.briefing import answered
from service.pipeline.ports import Engine
from service.pipeline.schema import breaks
from service.prompts import repair as words


@dataclass(frozen=True, slots=True)
class Repaired:
    """What came of it: a candidate that may break the schema still, and what the call cost, if one was made."""

    candidate: Candidate
    usage: Usage | None = None


async def repair(assessment: Assessment, candidate: Candidate, *, engine: Engine, max_tokens: int) -> Repaired:
    """The candidate in the JSON that was asked for: taken out of what is around it, or else asked for once more.

    Raises:
        EngineError: the engine failed or the deadline passed.

    """
    shape, asked = assessment.enquiry.shape, assessment.enquiry.sampling
    within = replace(candidate, body=words.read(candidate.body, duty=candidate.duty))
    if within.body and not breaks(shape, within):
        return Repaired(within)
    sampling = Sampling(temperature=0.0, max_tokens=min(asked.max_tokens or max_tokens, max_tokens), seed=asked.seed)
    quiet = replace(shape, tool_choice="none" if shape.tools else None)
    ask = Ask(
        Prompt((*answered(assessment, candidate), words.instruction(shape.schema)), quiet),
        sampling,
        cache_salt=assessment.enquiry.tenant.cache_salt,
    )
    completion = await engine.complete(ask, deadline=assessment.enquiry.deadline)
    again = replace(candidate, body=words.read(completion.text, duty=candidate.duty))
    mended = again.body and completion.finish_reason != "length" and not breaks(shape, again)
    return Repaired(again if mended else candidate, completion.usage)
