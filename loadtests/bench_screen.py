"""How long the screen takes on one core: for a question of 60 words, and for hostile inputs of 100 kB.

python -m loadtests.bench_screen
"""

import statistics
import time

from service.domain.conversation import Conversation, Message, Role
from service.pipeline.screen import Screen

ROUTINE = (
    "I am a 45 year old man and have had a cough for two weeks with some mucus, and I wonder whether I should take "
    "antibiotics or wait. I also feel tired but have been eating well, sleeping well and walking my dog every day as "
    "usual. My mother takes blood pressure pills and asks me to see a doctor soon."
)
URGENT = (
    "My husband is 58 and has diabetes. For the last half hour he has had a crushing pain in his chest that goes down "
    "his left arm, he is sweating, short of breath and looks grey. He says it is only indigestion and does not want me "
    "to call anyone. His father had a heart attack at 60. What should I do?"
)
HOSTILE = {
    "one word": "pain " * 20_000,
    "no spaces": "a" * 100_000,
    "denials": "no chest pain or " * 6_000,
    "Chinese": "胸痛" * 33_000,
    "numbers": "120/80 " * 14_000,
}


def main() -> None:
    """Print medians and 99th percentiles in milliseconds."""
    screen = Screen()
    for name, text in {"routine, 61 words": ROUTINE, "urgent, 58 words": URGENT}.items():
        times = _times(screen, text, runs=1_000)
        print(f"{name:<20} median {statistics.median(times):7.3f} ms   p99 {times[int(len(times) * 0.99)]:7.3f} ms")
    for name, text in HOSTILE.items():
        print(f"{name:<20} once   {_times(screen, text, runs=1)[0]:7.1f} ms   {len(text.encode()) / 1000:.0f} kB")


def _times(screen: Screen, text: str, *, runs: int) -> list[float]:
    conversation = Conversation((Message(Role.USER, text),))
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        screen.screen(conversation, audience=None)
        times.append((time.perf_counter() - began) * 1000)
    return sorted(times)


if __name__ == "__main__":
    main()
