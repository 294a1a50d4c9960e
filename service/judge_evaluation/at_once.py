"""A model asked for all verdicts in one call, to be measured against one call each."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.domain.answer import Candidate
from service.domain.assessment import Assessment, Criterion
from service.domain.completion import Ask, Prompt, Usage
from service.domain.enquiry import Sampling, Shape
from service.domain.errors import EngineError
from service.domain.verdict import Presence, Verdict
from service.pipeline.briefing import answered
from service.pipeline.ports import Engine
from service.prompts import verdicts as words

_TOKENS_EACH = 6
_TOKENS_MORE = 16


@dataclass(frozen=True, slots=True)
class AtOnceJudge:
    """Implements `Judge` by one JSON reply for all criteria. Needs an engine that keeps to a schema."""

    engine: Engine
    name: str
    calibrated: bool = False
    digest: str = ""

    async def judge(
        self, assessment: Assessment, candidate: Candidate, criteria: Sequence[Criterion]
    ) -> tuple[tuple[Verdict, ...], Usage]:
        """One verdict a criterion, in their order; all unknown where the reply cannot be read."""
        count = len(criteria)
        shape = Shape(schema=words.schema(count), schema_name="verdicts")
        asked = (*answered(assessment, candidate), words.instruction([c.text for c in criteria]))
        sampling = Sampling(temperature=0.0, max_tokens=_TOKENS_MORE + _TOKENS_EACH * count)
        try:
            ask = Ask(Prompt(asked, shape), sampling, cache_salt=assessment.enquiry.tenant.cache_salt)
            completion = await self.engine.complete(ask, deadline=assessment.enquiry.deadline)
        except EngineError as error:
            return tuple(Verdict(criterion, Presence(None)) for criterion in criteria), error.spent
        found = words.read(completion.text, count)
        return tuple(Verdict(c, presence) for c, presence in zip(criteria, found, strict=True)), completion.usage
