"""A store, its encoder and a folder of real questions in; how well each way of ranking finds what applies, out."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import yaml
from numpy.typing import NDArray

from principles_store.encoder import Encoder
from principles_store.graded import LABELLED_BY, Gains, Half, Judged, gains, rows_of
from principles_store.intervals import Estimate, mean
from principles_store.measures import Agreement, Proportion, agreement
from principles_store.paths import PACKAGE
from principles_store.retrieval import Ranking
from principles_store.store import Snapshot

DEPTH: Final = 10
CONSENSUS: Final = PACKAGE / "consensus.yaml"
CONVERSATIONS: Final = "healthbench_rubrics.jsonl.gz"
# As the service does: a latest turn that is near nothing is read together with the three before it.
_NEAR_NOTHING: Final = 0.25
_TURNS: Final = 4
# Tried where none is served.
_DIVERSITY: Final = 0.1
_PLAIN: Final = Ranking(words=0, asked=0, urgency=0, uncertainty=0, expertise=0, task_type=0, diversity=0, calm=2)

Rank = Callable[[str, NDArray[np.float32]], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Way:
    """One way of ranking on one half, each over `recall10.count` questions; `milliseconds` is the median, encoded."""

    name: str
    half: Half
    recall5: Estimate
    recall10: Estimate
    ndcg: Estimate
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Cluster:
    """Of the conversations with a criterion of this cluster, those with a principle for it among the first ten.

    `share` is None where no principle of ours asks what the cluster asks; `always` where one comes with every question.
    """

    name: str
    share: Proportion | None
    always: bool
    why: str


class _Met(NamedTuple):
    """Whether a principle for a conversation's cluster is among the first ten."""

    conversation: int
    cluster: str
    hit: bool


@dataclass(frozen=True, slots=True)
class Overall:
    """Clusters that a principle of ours covers, taken together: each cluster of each conversation is one of `count`.

    `share` resamples whole conversations, for the clusters of one are seldom hit apart.
    """

    name: str
    share: Estimate
    hits: int
    conversations: int


@dataclass(frozen=True, slots=True)
class RetrievalReport:
    """All that `clinalign evaluate retrieval` says of the store."""

    ways: tuple[Way, ...]
    by_source: Mapping[str, Estimate]
    clusters: tuple[Cluster, ...]
    overall: tuple[Overall, ...]
    agreement: Agreement | None
    questions: Mapping[str, int]
    labels: int
    labelled_by: str = LABELLED_BY


def ways_of(store: Snapshot) -> dict[str, Rank]:
    """Each step's ranking, with those of the steps before it; the last is what is served.

    Where what is served is not diversified, diversification is measured all the same, and left out of the last.
    """
    given = store.ranking
    boosted = replace(given, diversity=0)
    strength = given.diversity or _DIVERSITY
    hybrid = replace(_PLAIN, words=given.words)
    return {
        "dense": partial(_ranked, store.with_ranking(_PLAIN)),
        "BM25": partial(_by_words, store),
        "hybrid": partial(_ranked, store.with_ranking(hybrid)),
        "+ labelled questions": partial(_ranked, store.with_ranking(replace(hybrid, asked=given.asked))),
        "+ scenario": partial(_ranked, store.with_ranking(boosted)),
        f"+ diversification {strength}": partial(_ranked, store.with_ranking(replace(given, diversity=strength))),
        "+ always-on (served)": partial(served, store),
    }


def served(store: Snapshot, text: str, vector: NDArray[np.float32]) -> list[str]:
    """The ids that come with a question: those that always apply, then the nearest, ten in all."""
    told = store.consult(text, vector, limit=DEPTH, families=())
    return [match.principle.id for match in (*told.always_on, *told.nearest)][:DEPTH]


def evaluate_retrieval(
    store: Snapshot, encoder: Encoder, judged: Sequence[Judged], folder: Path, *, other: tuple[Snapshot, Encoder] | None
) -> RetrievalReport:
    """Measure every way on both halves, the clusters, and the agreement with `other` (its own index and encoder)."""
    vectors = encoder.encode([one.text for one in judged])
    ranked = {name: _timed(rank, judged, vectors) for name, rank in ways_of(store).items()}
    whole = {name: gains(rankings, judged) for name, (rankings, _) in ranked.items()}
    reporting = np.array([one.half is Half.REPORTING for one in judged])
    last = list(whole)[-1]
    sources = sorted({one.source for one in judged})
    clusters, overall = _clusters(store, encoder, folder / CONVERSATIONS)
    return RetrievalReport(
        ways=tuple(
            _way(name, half, whole[name], reporting == (half is Half.REPORTING), ranked[name][1])
            for half in Half
            for name in ranked
        ),
        by_source={
            source: mean(whole[last].ndcg[reporting & np.array([one.source == source for one in judged])])
            for source in sources
        },
        clusters=clusters,
        overall=overall,
        agreement=_agreement(ranked[last][0], judged, other) if other else None,
        questions={source: sum(one.source == source for one in judged) for source in sources},
        labels=sum(len(one.grades) for one in judged),
    )


def last_said(messages: Sequence[Mapping[str, str]]) -> list[str]:
    """What the user said, latest first."""
    return [turn["content"] for turn in reversed(messages) if turn["role"] == "user"]


def _ranked(store: Snapshot, text: str, vector: NDArray[np.float32]) -> list[str]:
    """All principles in one order, those that always apply among them."""
    return [match.principle.id for match in store.ranked(text, vector, limit=DEPTH)]


def _by_words(store: Snapshot, text: str, _: NDArray[np.float32]) -> list[str]:
    scores = store.shared_words(text)
    return [store.principles[place].id for place in np.argsort(-scores, kind="stable")[:DEPTH] if scores[place] > 0]


def _timed(rank: Rank, judged: Sequence[Judged], vectors: NDArray[np.float32]) -> tuple[list[Sequence[str]], float]:
    rankings, spent = [], []
    for one, vector in zip(judged, vectors, strict=True):
        started = time.perf_counter()
        rankings.append(rank(one.text, vector))
        spent.append((time.perf_counter() - started) * 1e3)
    return rankings, float(np.median(spent))


def _way(name: str, half: Half, found: Gains, rows: NDArray[np.bool_], milliseconds: float) -> Way:
    return Way(name, half, mean(found.recall5[rows]), mean(found.recall10[rows]), mean(found.ndcg[rows]), milliseconds)


def _clusters(store: Snapshot, encoder: Encoder, path: Path) -> tuple[tuple[Cluster, ...], tuple[Overall, ...]]:
    covering: dict[str, dict[str, Any]] = yaml.safe_load(CONSENSUS.read_text(encoding="utf-8"))["clusters"]
    met: list[_Met] = []
    for number, row in enumerate(rows_of(path)):
        # A hedging criterion may be tagged for several of its kinds at once: each counts.
        names = {name.removeprefix("cluster:") for c in row["rubrics"] for name in c.get("cluster") or ()}
        if names := names & covering.keys():
            come = set(_come(store, encoder, last_said(row["prompt"])))
            met += [_Met(number, name, bool(come.intersection(covering[name]["principles"]))) for name in sorted(names)]
    clusters = tuple(
        Cluster(
            name=name,
            share=_proportion([one for one in met if one.cluster == name]) if of["principles"] else None,
            always=bool(of.get("always")),
            why=str(of.get("why", "")),
        )
        for name, of in covering.items()
    )
    return clusters, tuple(_overall(clusters, met))


def _proportion(met: Sequence[_Met]) -> Proportion:
    return Proportion(sum(one.hit for one in met), len(met))


def _overall(clusters: Sequence[Cluster], met: Sequence[_Met]) -> Iterator[Overall]:
    covered = {cluster.name for cluster in clusters if cluster.share}
    chosen = covered - {cluster.name for cluster in clusters if cluster.always}
    for name, among in (("all of these", covered), ("all of these for which none always comes", chosen)):
        mine = [one for one in met if one.cluster in among]
        hits = np.array([one.hit for one in mine], dtype=np.float64)
        numbers = [one.conversation for one in mine]
        yield Overall(name, mean(hits, numbers), int(hits.sum()), len(set(numbers)))


def _come(store: Snapshot, encoder: Encoder, said: Sequence[str]) -> list[str]:
    vector = encoder.encode_one(said[0])
    near = store.ranked(said[0], vector, limit=1)
    if len(said) > 1 and near[0].similarity < _NEAR_NOTHING:
        text = "\n".join(said[:_TURNS])
        return served(store, text, encoder.encode_one(text))
    return served(store, said[0], vector)


def _agreement(mine: Sequence[Sequence[str]], judged: Sequence[Judged], other: tuple[Snapshot, Encoder]) -> Agreement:
    store, encoder = other
    return agreement(mine, [served(store, one.text, encoder.encode_one(one.text)) for one in judged])
