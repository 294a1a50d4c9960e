"""A served judge that several event loops ask in turn, as rollouts and TRL do."""

import asyncio
import gc
import threading

from service.domain.conversation import Message, Role
from tests.rubric_model import served
from training.models import Endpoint
from training.reward.judges import ServedJudge

ASKED = (Message(Role.USER, "May I fly?"),)


async def test_each_event_loop_has_connections_that_last_as_long_as_it_does() -> None:
    async with served() as server:
        judge = ServedJudge(Endpoint(server.url, "scripted", tries=1))

        async def several() -> list[bool | None]:
            first = await judge.does(ASKED, "Yes.", "Says yes.")
            gc.collect()  # connections that nobody keeps would be closed here
            rest = await asyncio.gather(*(judge.does(ASKED, "Yes.", f"Says {at}.") for at in range(8)))
            return [first, *rest]

        told: list[list[bool | None]] = []

        def elsewhere() -> None:
            told.extend(asyncio.run(several()) for _ in range(2))

        thread = threading.Thread(target=elsewhere)
        thread.start()
        while thread.is_alive():
            await asyncio.sleep(0.005)
    assert len(told) == 2
    assert told[0] == told[1]
    assert None not in told[0]
