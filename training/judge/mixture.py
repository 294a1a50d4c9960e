"""The training groups of one run: group `number` is a pure function of the seed, so that a run can stop and go on."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from training.dialogues.words import Split
from training.judge import asked, facts, real, relations, replies, rubric
from training.judge.composed import composed
from training.judge.group import Group, Source, kept_back

_UNASKED = 0.1


@dataclass(frozen=True, slots=True)
class Mixture:
    """Sources with their shares; `held_out` are the same sources over what is never trained on."""

    seed: int
    trained: Mapping[str, Source]
    held_out: Mapping[str, Source]

    def group(self, number: int, shares: Mapping[str, float]) -> Group:
        """Training group `number` of a run that mixes the sources by these shares; those without texts are left.

        Now and then its question is not known, as it may not be when the judge is asked.
        """
        rng = random.Random(f"{self.seed}/train/{number}")
        known = {name: share for name, share in shares.items() if name in self.trained}
        name = rng.choices(list(known), list(known.values()))[0]
        made = _asked(self.trained[name], rng)
        return replace(made, question="") if rng.random() < _UNASKED else made

    def watched(self, each: int) -> list[Group]:
        """The same held-out groups every time, `each` of every source."""
        return [
            _asked(source, random.Random(f"{self.seed}/held-out/{name}/{at}"))
            for name, source in self.held_out.items()
            for at in range(each)
        ]


def mixture(*, seed: int, data: Path | None, encoder: Path, kept: Path, medquad: int) -> Mixture:
    """All sources; without `data` only those of our own writing."""
    trained: dict[str, Source] = {
        "relations": relations.related,
        "facts": facts.told,
        "replies": replies.replied,
        "composed": composed(replies.replied),
        "rubric": partial(rubric.criteria, split=Split.TRAIN),
    }
    held_out: dict[str, Source] = {
        "relations": partial(relations.related, held_out=True),
        "facts": partial(facts.told, held_out=True),
        "replies": partial(replies.replied, held_out=True),
        "composed": composed(partial(replies.replied, held_out=True)),
        "rubric": partial(rubric.criteria, split=Split.HELD_OUT),
    }
    if data is not None:
        vectors = real.Vectors(encoder, kept)
        physicians, quotations = real.physicians(data, vectors), real.medquad(data, vectors, count=medquad, seed=seed)
        vectors.save()
        for name, texts, make in (("physicians", physicians, real.stated), ("medquad", quotations, real.quoted)):
            trained[name], held_out[name] = _parted(texts, make)
        trained["asked"], held_out["asked"] = _asked_of(asked.asked(data))
    return Mixture(seed, trained, held_out)


def _parted(texts: Sequence[real.Text], make: Callable[[Sequence[real.Text]], Source]) -> tuple[Source, Source]:
    return (
        make([text for text in texts if not kept_back(text.focus)]),
        make([text for text in texts if kept_back(text.focus)]),
    )


def _asked_of(texts: Sequence[asked.Asked]) -> tuple[Source, Source]:
    return (
        asked.answered([text for text in texts if not kept_back(text.question)]),
        asked.answered([text for text in texts if kept_back(text.question)]),
    )


def _asked(source: Source, rng: random.Random) -> Group:
    """The next group that has a claim."""
    while not (made := source(rng)).claims:
        pass
    return made
