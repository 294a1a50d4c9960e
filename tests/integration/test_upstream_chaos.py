"""An upstream that misbehaves in every way that is known: the policy answers, the duty stands, and nothing leaks."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from loadtests.robustness.chaos import faults_of, row
from loadtests.robustness.faults import Trouble, troubles
from tests.gateway_over_model import Gateway, gateway_over_model

pytestmark = pytest.mark.asyncio(loop_scope="module")
DEADLINE_MS = 300


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway() -> AsyncIterator[Gateway]:
    async with gateway_over_model() as gateway:
        yield gateway


@pytest.mark.parametrize("trouble", troubles(), ids=lambda trouble: trouble.name.replace(" ", "-"))
async def test_trouble_upstream_becomes_the_policy_and_the_duty_stands(gateway: Gateway, trouble: Trouble) -> None:
    found = await row(gateway.client, gateway.site, trouble, log=gateway.log, deadline_ms=DEADLINE_MS)
    assert gateway.log
    assert not faults_of(found)
