"""A conversation in; what the service knows of it before a draft, as it is served, out. No model is asked."""

from collections.abc import Sequence
from typing import Final

from service.domain.assessment import Assessment
from service.domain.conversation import Conversation, Message
from service.domain.deadline import Deadline
from service.domain.enquiry import Enquiry, Tenant
from service.pipeline.evaluation.attacks import SoundJudge
from service.pipeline.evaluation.obeying import ObeyingEngine, Ruse
from service.pipeline.orchestrator import Limits, Orchestrator
from service.pipeline.ports import Principles
from service.pipeline.retrieve import Nearness
from service.pipeline.screen import Screen

_DEADLINE_S: Final = 60.0


class Serving:
    """The steps before the draft, in the service's own order: screen, scenario, retrieve, rubric."""

    def __init__(self, principles: Principles, screen: Screen, *, nearness: Nearness | None = None) -> None:
        judge, engine = SoundJudge(), ObeyingEngine(Ruse.OBEYS, "", "")
        limits = Limits(nearness=nearness or Nearness())
        self._pipeline = Orchestrator(screen, principles, engine, judge, limits, "0")

    async def assess(self, messages: Sequence[Message]) -> Assessment:
        """As `Orchestrator.assess`, for a tenant of the usual options."""
        conversation = Conversation(tuple(messages))
        return await self._pipeline.assess(
            Enquiry("chat_measured", Tenant("measured"), conversation, Deadline.after(_DEADLINE_S))
        )
