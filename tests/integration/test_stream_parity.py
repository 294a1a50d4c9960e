"""A conversation of every kind, on every route that can say it: streamed and unstreamed the answer is the same."""

from loadtests.robustness import parity
from tests.shipped_store import needs_encoder

KINDS = 20


@needs_encoder
async def test_streamed_and_unstreamed_every_kind_of_conversation_gets_the_same_answer() -> None:
    found = parity.summary(await parity.measure(count=KINDS, progress=lambda _: None))
    assert found["differences"] == found["between_routes"] == []
    assert found["routes_agree"] == found["conversations"] == KINDS
    assert found["pairs"] == found["same"] == 54
    assert {"released", "safe_message", "refused with 400"} == set(found["outcomes"])
    assert found["revised"] > 0
