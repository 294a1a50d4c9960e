"""Scenario: the four dimensions of an enquiry, with red flags as a floor under urgency."""

from collections.abc import Sequence
from dataclasses import replace

from service.domain.assessment import Expertise, RedFlag, Scenario, Uncertainty, Urgency
from service.domain.assessment import TaskType as Task
from service.domain.enquiry import Audience

# What is assumed when the store cannot say: the careful end of each dimension.
CAREFUL = Scenario(Urgency.URGENT, Uncertainty.REDUCIBLE, Expertise.LAY, Task.TRIAGE)


def settle(found: Scenario, *, red_flags: Sequence[RedFlag], audience: Audience | None) -> Scenario:
    """The scenario found, raised to emergent by any red flag, and with the reader that the request names."""
    if red_flags:
        found = replace(found, urgency=Urgency.EMERGENT)
    match audience:
        case Audience.CLINICIAN:
            return replace(found, expertise=Expertise.PROFESSIONAL)
        case Audience.PATIENT:
            return replace(found, expertise=Expertise.LAY)
        case None:
            return found
