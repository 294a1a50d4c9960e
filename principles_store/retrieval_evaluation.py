"""A store, its encoder and a folder of real questions in; how well each way of ranking finds what applies, out.

What is served is not the store's to say: the service drops what is too far, and brings in what red flags need. It is
handed in as a function.
"""

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
TEN_PLACES: Final = "+ always-on, ten places"
SERVED: Final = "served"
_PLAIN: Final = Ranking(words=0, asked=0, urgency=0, uncertainty=0, expertise=0, task_type=0, diversity=0, calm=2)

Rank = Callable[[str, NDArray[np.float32]], Sequence[str]]
# A conversation (`role`, `content`) in; the ids that are served with it, in order, out.
Serve = Callable[[Sequence[Mapping[str, str]]], Sequence[str]]


class Equipped(NamedTuple):
    """A store, what it encodes with, and what the service makes of both."""

    store: Snapshot
    encoder: Encoder
    serve: Serve


@dataclass(frozen=True, slots=True)
class Way:
    """One way of ranking on one half, each over `recall10.count` questions; `milliseconds` is the median, encoded.

    It gives `taken` principles a question on average, and `most` at most.
    """

    name: str
    half: Half
    recall5: Estimate
    recall10: Estimate
    ndcg: Estimate
    taken: float
    most: int
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Cluster:
    """Of the conversations with a criterion of this cluster, those with a principle for it, as served and in ten places.

    Both are None where no principle of ours asks what the cluster asks; `always` where one comes with every question.
    """

    name: str
    served: Proportion | None
    ten: Proportion | None
    always: bool
    why: str


class _Met(NamedTuple):
    """Whether a principle for a conversation's cluster is served, and whether one is among ten places."""

    conversation: int
    cluster: str
    served: bool
    ten: bool


@dataclass(frozen=True, slots=True)
class Overall:
    """Clusters that a principle of ours covers, taken together: each cluster of each conversation is one of `count`.

    `served` and `ten` resample whole conversations, for the clusters of one are seldom hit apart; counts are beside.
    """

    name: str
    served: Estimate
    served_hits: int
    ten: Estimate
    ten_hits: int
    conversations: int


@dataclass(frozen=True, slots=True)
class RetrievalReport:
    """All that `clinalign evaluate retrieval` says of the store; `by_source` and `agreement` are of what is served."""

    ways: tuple[Way, ...]
    by_source: Mapping[str, Estimate]
    clusters: tuple[Cluster, ...]
    overall: tuple[Overall, ...]
    agreement: Agreement | None
    agreement_of_ten: Agreement | None
    questions: Mapping[str, int]
    labels: int
    labelled_by: str = LABELLED_BY


def ways_of(store: Snapshot) -> dict[str, Rank]:
    """Each step's ranking, with those of the steps before it.

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
        TEN_PLACES: partial(ten_places, store),
    }


def ten_places(store: Snapshot, text: str, vector: NDArray[np.float32]) -> list[str]:
    """The ids that would fill ten places: those that always apply, then the nearest, whether or not they apply."""
    told = store.consult(text, vector, limit=DEPTH, families=())
    return [match.principle.id for match in (*told.always_on, *told.nearest)][:DEPTH]


def evaluate_retrieval(
    one: Equipped, judged: Sequence[Judged], folder: Path, *, other: Equipped | None
) -> RetrievalReport:
    """Measure every way on both halves, the clusters, and the agreement with `other` (its own index and encoder)."""
    vectors = one.encoder.encode([row.text for row in judged])
    ways = {**ways_of(one.store), SERVED: lambda text, _: one.serve(_asked(text))}
    ranked = {name: _timed(rank, judged, vectors) for name, rank in ways.items()}
    whole = {name: gains(rankings, judged) for name, (rankings, _) in ranked.items()}
    reporting = np.array([row.half is Half.REPORTING for row in judged])
    sources = sorted({row.source for row in judged})
    clusters, overall = _clusters(one, folder / CONVERSATIONS)
    return RetrievalReport(
        ways=tuple(
            _way(name, half, whole[name], reporting == (half is Half.REPORTING), *ranked[name])
            for half in Half
            for name in ranked
        ),
        by_source={
            source: mean(whole[SERVED].ndcg[reporting & np.array([row.source == source for row in judged])])
            for source in sources
        },
        clusters=clusters,
        overall=overall,
        agreement=_agreement(ranked[SERVED][0], judged, other) if other else None,
        agreement_of_ten=_agreement_of_ten(ranked[TEN_PLACES][0], judged, other) if other else None,
        questions={source: sum(row.source == source for row in judged) for source in sources},
        labels=sum(len(row.grades) for row in judged),
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


def _asked(text: str) -> list[Mapping[str, str]]:
    return [{"role": "user", "content": text}]


def _timed(rank: Rank, judged: Sequence[Judged], vectors: NDArray[np.float32]) -> tuple[list[Sequence[str]], float]:
    """What each question is given, and the median milliseconds of the second time: by then all is encoded."""
    rankings, spent = [], []
    for one, vector in zip(judged, vectors, strict=True):
        rankings.append(rank(one.text, vector))
        started = time.perf_counter()
        rank(one.text, vector)
        spent.append((time.perf_counter() - started) * 1e3)
    return rankings, float(np.median(spent))


def _way(
    name: str, half: Half, found: Gains, rows: NDArray[np.bool_], rankings: Sequence[Sequence[str]], milliseconds: float
) -> Way:
    taken = np.array([len(ranking) for ranking in rankings])[rows]
    return Way(
        name,
        half,
        mean(found.recall5[rows]),
        mean(found.recall10[rows]),
        mean(found.ndcg[rows]),
        float(taken.mean()),
        int(taken.max()),
        milliseconds,
    )


def _clusters(one: Equipped, path: Path) -> tuple[tuple[Cluster, ...], tuple[Overall, ...]]:
    covering: dict[str, dict[str, Any]] = yaml.safe_load(CONSENSUS.read_text(encoding="utf-8"))["clusters"]
    met: list[_Met] = []
    for number, row in enumerate(rows_of(path)):
        # A hedging criterion may be tagged for several of its kinds at once: each counts.
        names = {name.removeprefix("cluster:") for c in row["rubrics"] for name in c.get("cluster") or ()}
        if names := names & covering.keys():
            come = (set(one.serve(row["prompt"])), set(_ten_of(one, last_said(row["prompt"]))))
            met += [
                _Met(number, name, *(not ids.isdisjoint(covering[name]["principles"]) for ids in come))
                for name in sorted(names)
            ]
    clusters = tuple(
        _cluster(name, of, [each for each in met if each.cluster == name]) for name, of in covering.items()
    )
    return clusters, tuple(_overall(clusters, met))


def _cluster(name: str, of: Mapping[str, Any], met: Sequence[_Met]) -> Cluster:
    covered = bool(of["principles"])
    return Cluster(
        name=name,
        served=Proportion(sum(each.served for each in met), len(met)) if covered else None,
        ten=Proportion(sum(each.ten for each in met), len(met)) if covered else None,
        always=bool(of.get("always")),
        why=str(of.get("why", "")),
    )


def _overall(clusters: Sequence[Cluster], met: Sequence[_Met]) -> Iterator[Overall]:
    covered = {cluster.name for cluster in clusters if cluster.served}
    chosen = covered - {cluster.name for cluster in clusters if cluster.always}
    for name, among in (("all of these", covered), ("all of these for which none always comes", chosen)):
        mine = [each for each in met if each.cluster in among]
        numbers = [each.conversation for each in mine]
        served, ten = ([each.served for each in mine], [each.ten for each in mine])
        yield Overall(
            name,
            mean(np.array(served, dtype=np.float64), numbers),
            sum(served),
            mean(np.array(ten, dtype=np.float64), numbers),
            sum(ten),
            len(set(numbers)),
        )


def _ten_of(one: Equipped, said: Sequence[str]) -> list[str]:
    vector = one.encoder.encode_one(said[0])
    near = one.store.ranked(said[0], vector, limit=1)
    if len(said) > 1 and near[0].similarity < _NEAR_NOTHING:
        text = "\n".join(said[:_TURNS])
        return ten_places(one.store, text, one.encoder.encode_one(text))
    return ten_places(one.store, said[0], vector)


def _agreement(mine: Sequence[Sequence[str]], judged: Sequence[Judged], other: Equipped) -> Agreement:
    return agreement(mine, [other.serve(_asked(one.text)) for one in judged])


def _agreement_of_ten(mine: Sequence[Sequence[str]], judged: Sequence[Judged], other: Equipped) -> Agreement:
    return agreement(mine, [ten_places(other.store, one.text, other.encoder.encode_one(one.text)) for one in judged])
