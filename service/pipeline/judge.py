"""Judge: what the answer does of each criterion, all at once, each from one token of the model."""

import asyncio
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

from service.domain.answer import Candidate
from service.domain.assessment import Assessment, Criterion
from service.domain.completion import Ask, Prompt, Usage
from service.domain.conversation import Message
from service.domain.enquiry import Enquiry, Sampling, Shape
from service.domain.errors import EngineError
from service.domain.verdict import Presence, Verdict
from service.pipeline.briefing import answered
from service.pipeline.ports import Engine
from service.prompts import verdict as words
from service.prompts.digest import prompts_digest

_ONE_TOKEN = Sampling(temperature=0.0, max_tokens=1)
_ONE_OBJECT = Sampling(temperature=0.0, max_tokens=16)
_SHAPE = Shape(schema=words.SCHEMA, schema_name="verdict")
_ALTERNATIVES = 20


@dataclass(frozen=True, slots=True)
class ModelJudge:
    """Asks an engine. `name` goes to provenance; from the probability `threshold` on a thing counts as present."""

    engine: Engine
    name: str
    threshold: float = 0.5
    calibrated: bool = False

    @property
    def digest(self) -> str:
        """Over the model that was reached, its words and its threshold; empty before it was reached."""
        try:
            abilities = self.engine.abilities
        except EngineError:
            return ""
        made_of = (self.name, abilities.model, abilities.checkpoint_digest, self.threshold, prompts_digest())
        return f"sha256:{hashlib.sha256(repr(made_of).encode()).hexdigest()}"

    async def judge(
        self, assessment: Assessment, candidate: Candidate, criteria: Sequence[Criterion]
    ) -> tuple[tuple[Verdict, ...], Usage]:
        """One verdict a criterion, in their order. A call that fails is unknown, and unknown is never met."""
        prefix = answered(assessment, candidate)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._presence(assessment, prefix, criterion)) for criterion in criteria]
        found = [task.result() for task in tasks]
        verdicts = tuple(Verdict(c, presence) for c, (presence, _) in zip(criteria, found, strict=True))
        return verdicts, sum((usage for _, usage in found), Usage())

    async def _presence(
        self, assessment: Assessment, prefix: tuple[Message, ...], criterion: Criterion
    ) -> tuple[Presence, Usage]:
        try:
            ask = self._ask(prefix, criterion, assessment.enquiry)
            completion = await self.engine.complete(ask, deadline=assessment.enquiry.deadline)
        except EngineError as error:
            return Presence(None), error.spent
        if not self.engine.abilities.probabilities:
            return words.read_json(completion.text), completion.usage
        if any(not math.isfinite(t.probability) for t in completion.first_token):
            return Presence(None), completion.usage
        return words.read(completion.first_token, threshold=self.threshold), completion.usage

    def _ask(self, prefix: tuple[Message, ...], criterion: Criterion, enquiry: Enquiry) -> Ask:
        shape, salt = enquiry.shape, enquiry.tenant.cache_salt
        if not self.engine.abilities.probabilities:
            prompt = Prompt((*prefix, words.instruction_json(criterion.text)), _SHAPE)
            return Ask(prompt, _ONE_OBJECT, cache_salt=salt)
        # The draft's tools stay in the prompt: they are part of the prefix that the cache holds. None may be called.
        quiet = Shape(tools=shape.tools, tool_choice="none") if shape.tools else Shape()
        prompt = Prompt((*prefix, words.instruction(criterion.text)), quiet)
        return Ask(prompt, _ONE_TOKEN, _ALTERNATIVES, cache_salt=salt)
