"""Timing: conversations and a piece of work come in, how many milliseconds it takes on them goes out."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from service.domain.conversation import Conversation

AIM: Final = 1.0  # millisecond, for the rules
_MOST: Final = 1_000  # conversations: a hundredth of them is ten


@dataclass(frozen=True, slots=True)
class Times:
    """What `work` takes over `rows` conversations of a kind, in ms; `beyond` of them, in [0, 1], take more than AIM."""

    work: str
    over: str
    rows: int
    median: float
    p90: float
    p99: float
    beyond: float


def timed(work: str, over: str, sample: Sequence[Conversation], act: Callable[[Conversation], object]) -> Times:
    """The least of three runs on each of up to 1,000 of the sample, evenly taken; the sample has at least one."""
    taken = sorted(_ms(conversation, act) for conversation in sample[:: -(-len(sample) // _MOST)])
    median, p90, p99 = (round(_at(taken, share), 3) for share in (0.5, 0.9, 0.99))
    return Times(work, over, len(taken), median, p90, p99, sum(ms > AIM for ms in taken) / len(taken))


def _at(taken: Sequence[float], share: float) -> float:
    """The nearest rank of a share, of times in order."""
    return taken[min(int(share * len(taken)), len(taken) - 1)]


def _ms(conversation: Conversation, act: Callable[[Conversation], object]) -> float:
    """The least of three, in milliseconds: others may be using the processor."""
    least = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        act(conversation)
        least = min(least, (time.perf_counter() - began) * 1000)
    return least
