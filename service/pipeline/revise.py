"""Revise: a new candidate that mends the criteria that matter, by sentence edits or a whole new text."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from service.domain.answer import Candidate
from service.domain.assessment import Assessment, Criterion
from service.domain.completion import Ask, Prompt, Usage
from service.domain.enquiry import RevisionStyle, Sampling, Shape
from service.pipeline.briefing import answered
from service.pipeline.ports import Engine
from service.pipeline.schema import fits
from service.prompts import edits, rewrite

_EDITS_SHAPE = Shape(schema=edits.SCHEMA, schema_name="edits")


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a round of revision gave; `candidate` is None where the reply could not be used."""

    style: RevisionStyle
    candidate: Candidate | None
    usage: Usage


def style_for(assessment: Assessment, *, round_: int) -> RevisionStyle:
    """Edits for prose, a rewrite for JSON; `auto` turns to a rewrite when edits did not do."""
    if assessment.enquiry.shape.structured:
        return RevisionStyle.REWRITE
    asked = assessment.enquiry.options.revision_style
    if asked is not RevisionStyle.AUTO:
        return asked
    return RevisionStyle.EDITS if round_ == 1 else RevisionStyle.REWRITE


def can_revise(candidate: Candidate) -> bool:
    """Whether there is prose or JSON to mend; tool calls are judged but not mended."""
    return bool(candidate.body) and not candidate.tool_calls


async def revise(
    assessment: Assessment,
    candidate: Candidate,
    targets: Sequence[Criterion],
    *,
    style: RevisionStyle,
    engine: Engine,
    max_tokens: int,
) -> Attempt:
    """One attempt at the targets, heaviest first.

    Raises:
        EngineError: the engine failed or the deadline passed.

    """
    prefix = answered(assessment, candidate)
    enquiry = assessment.enquiry
    if style is RevisionStyle.EDITS:
        instruction, shape = edits.instruction(candidate.body, targets), _EDITS_SHAPE
    else:
        instruction, shape = rewrite.instruction(targets), enquiry.shape
    most = enquiry.sampling.max_tokens if style is RevisionStyle.REWRITE else None
    sampling = Sampling(temperature=0.0, max_tokens=min(most or max_tokens, max_tokens), seed=enquiry.sampling.seed)
    ask = Ask(
        Prompt((*prefix, instruction), replace(shape, tools=enquiry.shape.tools, tool_choice=_none(enquiry.shape))),
        sampling,
        cache_salt=enquiry.tenant.cache_salt,
    )
    completion = await engine.complete(ask, deadline=enquiry.deadline)
    if completion.finish_reason == "length":  # a truncated revision is no revision
        return Attempt(style, None, completion.usage)
    mended = _mended(candidate, completion.text, style=style, stop=enquiry.sampling.stop)
    if mended is not None and enquiry.shape.structured and not fits(enquiry.shape, mended.body):
        mended = None
    return Attempt(style, mended, completion.usage)


def _none(shape: Shape) -> str | None:
    return "none" if shape.tools else None


def _mended(candidate: Candidate, reply: str, *, style: RevisionStyle, stop: Sequence[str]) -> Candidate | None:
    if style is RevisionStyle.EDITS:
        try:
            body = edits.apply(candidate.body, edits.read(reply))
        except edits.EditsRejected:
            return None
    else:
        body = rewrite.read(reply, duty=candidate.duty)
    for word in stop:  # as the draft was, and before anybody judges it
        body = body.partition(word)[0].rstrip() if word in body else body
    return replace(candidate, body=body, finish_reason="stop") if body.strip() else None
