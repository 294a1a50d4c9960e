"""More requests at once than a gateway holds, against it as a process: each is answered, and memory stays bounded."""

from loadtests.robustness.flood import flood
from tests.shipped_store import needs_encoder

PLACES, QUEUED = 4, 12
HELD = PLACES + QUEUED
MOST_GROWTH_MB = 60


@needs_encoder
async def test_of_more_requests_than_it_holds_each_is_answered_or_told_when_to_come_again() -> None:
    found = await flood(count=200, progress=lambda _: None, times=1, queued=QUEUED)
    assert found.dropped == found.without_retry_after == 0
    assert set(found.statuses) == {200, 503}
    assert found.statuses[200] >= HELD
    assert found.outcomes["released"] >= HELD
    assert found.most_mb[0] - found.before_mb < MOST_GROWTH_MB
