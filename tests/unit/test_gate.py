"""The gate: what is given up first when many wait."""

import asyncio

import pytest

from service.domain.deadline import Deadline
from service.gateway.gate import Gate
from service.observability.metrics import Metrics


async def revisions_of_two(gate: Gate, *, inside: int) -> int:
    """How many of two rounds are left while so many are inside."""

    async def stay() -> None:
        async with gate.place(Deadline.after(60)):
            await asyncio.Event().wait()

    tasks = [asyncio.create_task(stay()) for _ in range(inside)]
    await asyncio.sleep(0)
    left = gate.revisions(2)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return left


@pytest.mark.parametrize(("inside", "revisions"), [(0, 2), (4, 2), (8, 2), (9, 1), (10, 1), (11, 0), (12, 0)], ids=str)
async def test_revisions_become_fewer_once_the_queue_is_more_than_half_full(inside: int, revisions: int) -> None:
    gate = Gate(running=4, queued=8, metrics=Metrics())
    assert await revisions_of_two(gate, inside=inside) == revisions
    assert gate.revisions(2) == 2


async def test_without_a_queue_nothing_is_given_up() -> None:
    assert await revisions_of_two(Gate(running=1, queued=0, metrics=Metrics()), inside=1) == 2
