"""The gate: what is given up first when many wait."""

from contextlib import ExitStack

import pytest

from service.gateway.gate import Gate
from service.observability.metrics import Metrics


@pytest.mark.parametrize(("inside", "revisions"), [(0, 2), (4, 2), (8, 2), (9, 1), (10, 1), (11, 0), (12, 0)], ids=str)
def test_revisions_become_fewer_once_the_queue_is_more_than_half_full(inside: int, revisions: int) -> None:
    gate = Gate(running=4, queued=8, metrics=Metrics())
    with ExitStack() as stack:
        for _ in range(inside):
            stack.enter_context(gate.ticket())
        assert gate.revisions(2) == revisions
    assert gate.revisions(2) == 2


def test_without_a_queue_nothing_is_given_up() -> None:
    gate = Gate(running=1, queued=0, metrics=Metrics())
    with gate.ticket():
        assert gate.revisions(2) == 2
