"""A client that leaves, or a deadline that passes, in each stage: its upstream calls end within a second."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from loadtests.robustness.chaos import WELL
from loadtests.robustness.faults import hangs
from loadtests.robustness.sayings import Stage
from tests.gateway_over_model import Gateway, gateway_over_model

pytestmark = pytest.mark.asyncio(loop_scope="module")
PATH = "/v1/chat/completions"
MESSAGES = [{"role": "user", "content": "I have had a cough for three days."}]
STAGES = [Stage.DRAFT, Stage.JUDGE, Stage.REVISE]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[Gateway]:
    async with gateway_over_model() as gateway:
        yield gateway


@pytest_asyncio.fixture(loop_scope="module")
async def gateway(shared: Gateway, stage: Stage) -> AsyncIterator[Gateway]:
    """Its model hangs in this stage; what it drafts does not pass, so that every stage is reached."""
    model = shared.site.model
    model.calls.clear()
    model.manner, model.faults[stage] = replace(WELL, complies=0.0), hangs()
    yield shared
    model.manner = WELL
    model.faults.clear()


async def until_ended(gateway: Gateway, stage: Stage) -> None:
    async with asyncio.timeout(1):
        while gateway.site.model.running:
            await asyncio.sleep(0.01)
    assert set(gateway.site.model.ended("aborted")) == {stage}


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])
@pytest.mark.parametrize("stage", STAGES)
async def test_a_client_that_leaves_ends_the_stage_that_it_leaves_in(
    gateway: Gateway, stage: Stage, stream: bool
) -> None:
    async def ask() -> None:
        async with gateway.client.post(PATH, json={"messages": MESSAGES, "stream": stream}) as reply:
            await reply.read()

    asking = asyncio.create_task(ask())
    async with asyncio.timeout(10):
        while not any(call.stage is stage for call in gateway.site.model.running):
            await asyncio.sleep(0.01)
    asking.cancel()
    await asyncio.wait({asking})
    await until_ended(gateway, stage)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])
@pytest.mark.parametrize("stage", STAGES)
async def test_a_deadline_ends_the_stage_that_it_passes_in_and_is_a_200(
    gateway: Gateway, stage: Stage, stream: bool
) -> None:
    terms = {"options": {"deadline_ms": 700}}
    async with gateway.client.post(PATH, json={"messages": MESSAGES, "stream": stream, "clinalign": terms}) as reply:
        assert reply.status == 200
        assert '"outcome_reason":"deadline"' in await reply.text()
    await until_ended(gateway, stage)
