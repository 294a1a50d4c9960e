"""Questions on topics whose right answer is known to send for help, or to refuse, put as the gateway would."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from service.domain.conversation import Conversation, Message, Role
from service.domain.enquiry import Audience
from service.prompts.base import base
from training.dialogues import duties
from training.dialogues.library import Library, Principle
from training.dialogues.scenes import fill, slots_of
from training.dialogues.words import Split, Words

# One labelled query in this many is never trained on (see `training.dialogues.dialogue`).
_QUERIES_KEPT: Final = 4
_NEIGHBOURS: Final = 3


@dataclass(frozen=True, slots=True)
class Asked:
    """A question on a topic; with `duty` code says before the answer what to do now."""

    question: str
    topic: Principle
    guide: tuple[Principle, ...]
    duty: str

    @property
    def prompt(self) -> tuple[Message, ...]:
        """As the gateway would write it."""
        return base(
            Conversation((Message(Role.USER, self.question),)),
            principles=[p.statement for p in self.guide],
            audience=Audience.PATIENT,
            duty=self.duty,
        )


def asked(
    everything: Library, queries: Mapping[str, Sequence[str]], topics: Sequence[Principle], *, seed: int, duty: bool
) -> Iterator[Asked]:
    """Questions without end: the topics in turn, each with a query that was held out or a question with held-out words.

    With `duty` every other question comes with one, as where the screen saw the danger; else none does.
    """
    number = 0
    while topics:
        rng = random.Random(f"{seed}/gate/{number}")
        topic = topics[number % len(topics)]
        words = Words(rng, Split.HELD_OUT)
        kept = queries.get(topic.id, ())[_QUERIES_KEPT - 1 :: _QUERIES_KEPT]
        if kept and (number // len(topics)) % 2 == 0:
            question = rng.choice(kept)
        else:
            template = rng.choice(topic.questions)
            question = fill(template, {slot: words.value(slot) for slot in slots_of(template)})
        said = duties.duty(rng, Audience.PATIENT) if duty and rng.random() < 0.5 else ""
        yield Asked(question, topic, _guide(rng, everything, topic), said)
        number += 1


def _guide(rng: random.Random, everything: Library, topic: Principle) -> tuple[Principle, ...]:
    """What a red flag brings, what always applies, then the nearest."""
    always = [p for p in everything.trained if p.always_on and p is not topic]
    near = [p for p in everything.trained if p.level == topic.level and p is not topic and not p.always_on]
    others = rng.sample(near, min(_NEIGHBOURS, len(near)))
    return tuple([topic, *always, *others] if topic.red_flag else [*always, topic, *others])
