"""Questions about health and about other things in; how many of each are read as outside health, as served, out.

Our own texts are read by heads that saw none of their family. Real questions are read by the head as it ships, which
saw none of them; the threshold was chosen on their tuning half and on the families that choices may look at.
"""

import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Final

import numpy as np
from numpy.typing import NDArray

from principles_store.building import Told
from principles_store.encoder import Encoder
from principles_store.graded import Half, half_of, rows_of
from principles_store.kinship import family, is_chosen_by, part
from principles_store.measures import Proportion
from principles_store.store import PrinciplesStore, Snapshot
from principles_store.topic import Example, TopicHead
from service.domain.assessment import Notice
from service.domain.conversation import Message, Role
from service.pipeline.evaluation.serving import Serving
from service.pipeline.orchestrator import Limits
from service.pipeline.principles import StoredPrinciples
from service.pipeline.screen import Screen

ELSEWHERE: Final = "own: about something else"
NEAR_MISS: Final = "own: about health, in such words"
LABELLED: Final = "own: labelled queries about health"
SOURCES: Final = {
    "K-QA": ("kqa_questions.jsonl", "Question"),
    "MedQuAD": ("medquad_qa.jsonl.gz", "question"),
    "HealthBench, first turns": ("healthbench_prompts_5000.jsonl.gz", "first_user_turn"),
}
EVERY: Final = {"MedQuAD": 5}  # one in so many, by hash: its questions are of few kinds
_PARTS: Final = 5
_TIMED: Final = 200


@dataclass(frozen=True, slots=True)
class Counted:
    """Of the texts of a source in one half, those read as outside health."""

    source: str
    half: Half
    outside: Proportion


@dataclass(frozen=True, slots=True)
class OutsideReport:
    """Counts by source and half; of our own reported families, what was caught; the head's median milliseconds."""

    counted: tuple[Counted, ...]
    families: Mapping[str, Proportion]
    threshold: float
    passage: float
    examples: int
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Materials:
    """A store whole, what its topic's head was fitted on with vectors [examples, width], and its encoder."""

    snapshot: Snapshot
    learned: Told
    encoder: Encoder

    def store(self, head: TopicHead | None = None) -> PrinciplesStore:
        """The store, or one that differs in its topic's head."""
        built = self.snapshot.built if head is None else replace(self.snapshot.built, topic=head)
        here = Path()
        return PrinciplesStore(
            Snapshot(self.snapshot.principles, built), self.encoder, principles_dir=here, index_dir=here
        )


async def measure_outside(materials: Materials, folder: Path | None, *, screen: Screen) -> OutsideReport:
    """Everything; real questions where a folder has them."""
    own = [one async for one in _own(materials, screen)]
    counted = [*_counted_own(own), *[one async for one in _real(materials, folder, screen)]]
    missed = [(name, outside) for source, name, outside in own if source == ELSEWHERE and not is_chosen_by(name)]
    nearness = Limits().nearness
    return OutsideReport(
        counted=tuple(counted),
        families={name: _share(is_so for other, is_so in missed if other == name) for name, _ in missed},
        threshold=nearness.health,
        passage=nearness.passage,
        examples=len(materials.learned.examples),
        milliseconds=_milliseconds(materials.snapshot.built.topic, materials.learned.vectors),
    )


class Reader:
    """Reads one question after another as the pipeline would."""

    def __init__(self, store: PrinciplesStore, screen: Screen) -> None:
        self._serving = Serving(StoredPrinciples(store), screen)

    async def is_outside(self, text: str) -> bool:
        """Whether it is read as outside health: red flags, language and passages included."""
        return Notice.OUTSIDE_HEALTH in (await self._serving.assess([Message(Role.USER, text)])).notices


async def _own(materials: Materials, screen: Screen) -> AsyncIterator[tuple[str, str, bool]]:
    """Each example's source and family, and whether it is read as outside health by a head without its family."""
    examples, vectors = materials.learned.examples, materials.learned.vectors
    parts = np.array([part(family(example.family)) for example in examples])
    for out in range(_PARTS):
        learned = np.flatnonzero(parts != out)
        head = TopicHead.fit(vectors[learned], [examples[row].subject for row in learned])
        reader = Reader(materials.store(head), screen)
        for row in np.flatnonzero(parts == out):
            example = examples[row]
            yield _source(example), family(example.family), await reader.is_outside(example.text)


def _source(example: Example) -> str:
    if example.elsewhere:
        return ELSEWHERE
    return LABELLED if "." in example.family else NEAR_MISS


def _counted_own(own: Sequence[tuple[str, str, bool]]) -> list[Counted]:
    return [
        Counted(source, half, _share(o for s, name, o in own if s == source and _half(name) is half))
        for source in (ELSEWHERE, NEAR_MISS, LABELLED)
        for half in Half
    ]


async def _real(materials: Materials, folder: Path | None, screen: Screen) -> AsyncIterator[Counted]:
    reader = Reader(materials.store(), screen)
    for source, (file, field) in SOURCES.items():
        if folder is None or not (folder / file).is_file():
            continue
        texts = _texts(folder / file, field, every=EVERY.get(source, 1))
        read = [(half_of(sha256(text.encode()).hexdigest()), await reader.is_outside(text)) for text in texts]
        for half in Half:
            yield Counted(source, half, _share(outside for own, outside in read if own is half))


def _texts(path: Path, field: str, *, every: int) -> list[str]:
    texts = dict.fromkeys(str(row[field]) for row in rows_of(path))
    return [text for text in texts if sha256(f"every{text}".encode()).digest()[0] % every == 0]


def _half(name: str) -> Half:
    return Half.TUNING if is_chosen_by(name) else Half.REPORTING


def _share(outside: Iterable[bool]) -> Proportion:
    found = list(outside)
    return Proportion(sum(found), len(found))


def _milliseconds(head: TopicHead, vectors: NDArray[np.float32]) -> float:
    spent = []
    for vector in vectors[:_TIMED]:
        began = time.perf_counter()
        head.read(vector)
        spent.append((time.perf_counter() - began) * 1000)
    return median(spent)
