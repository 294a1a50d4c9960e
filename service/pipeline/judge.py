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
from service.pipeline.judge_calibration import UNFITTED, Calibration, Calibrations
from service.pipeline.ports import Engine
from service.prompts import verdict as words
from service.prompts.digest import prompts_digest

_ONE_TOKEN = Sampling(temperature=0.0, max_tokens=1)
_ONE_OBJECT = Sampling(temperature=0.0, max_tokens=16)
_SHAPE = Shape(schema=words.SCHEMA, schema_name="verdict")
_ALTERNATIVES = 20


@dataclass(frozen=True, slots=True)
class ModelJudge:
    """Asks an engine. `name` goes to provenance; a thing counts as present above the threshold that was fitted.

    Where `calibrations` hold none for the engine's checkpoint, it is present where Yes outweighs No.
    """

    engine: Engine
    name: str
    calibrations: Calibrations = UNFITTED

    @property
    def calibrated(self) -> bool:
        """Whether there is a calibration of this very checkpoint; not known, so no, before it was reached."""
        return self._calibration() is not None

    @property
    def digest(self) -> str:
        """Over the model that was reached, its words and its calibration; empty before it was reached."""
        try:
            abilities = self.engine.abilities
        except EngineError:
            return ""
        fitted = self._calibration()
        read = fitted.model_dump_json() if fitted is not None else ""
        made_of = (self.name, abilities.model, abilities.checkpoint_digest, read, prompts_digest())
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

    def _calibration(self) -> Calibration | None:
        """None as well where the engine tells no probabilities: there is nothing to hold against a threshold."""
        try:
            abilities = self.engine.abilities
        except EngineError:
            return None
        return self.calibrations.of(abilities) if abilities.probabilities else None

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
        found, fitted = words.read(completion.first_token), self._calibration()
        return found if fitted is None else fitted.presence(found), completion.usage

    def _ask(self, prefix: tuple[Message, ...], criterion: Criterion, enquiry: Enquiry) -> Ask:
        shape, salt = enquiry.shape, enquiry.tenant.cache_salt
        if not self.engine.abilities.probabilities:
            prompt = Prompt((*prefix, words.instruction_json(criterion.text)), _SHAPE)
            return Ask(prompt, _ONE_OBJECT, cache_salt=salt)
        # The draft's tools stay in the prompt: they are part of the prefix that the cache holds. None may be called.
        quiet = Shape(tools=shape.tools, tool_choice="none") if shape.tools else Shape()
        prompt = Prompt((*prefix, words.instruction(criterion.text)), quiet)
        return Ask(prompt, _ONE_TOKEN, _ALTERNATIVES, cache_salt=salt)
