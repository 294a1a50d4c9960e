"""Labelled queries and, where there is a folder, HealthBench's first turns in; how well scenarios are read, out.

Heads are fitted on our own queries alone. Of these, the families in which no choice was made are reported. Of the first
turns, whose texts nothing is fitted on, the mapping's threshold is chosen on one half and the other half is reported.
"""

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from principles_store.building import assemble
from principles_store.encoder import Encoder
from principles_store.graded import Half, half_of, rows_of
from principles_store.intervals import RESAMPLES, Estimate, bootstrap
from principles_store.kinship import families, folds, is_for_tuning
from principles_store.measures import Latency, reading
from principles_store.scenario import Near, Scenario, codes
from principles_store.schema import LEVELS, Dimension, LabelledQuery, Principle
from principles_store.store import CANDIDATES, Snapshot

FIRST_TURNS: Final = "healthbench_prompts_5000.jsonl.gz"
_THRESHOLDS: Final = np.arange(0.05, 0.96, 0.05)


@dataclass(frozen=True, slots=True)
class HeldOut:
    """One dimension over `macro_f1.count` queries of `families` unseen families; `confusion` is [true, read] counts."""

    macro_f1: Estimate
    accuracy: Estimate
    f1: Mapping[str, float]
    confusion: tuple[tuple[int, ...], ...]
    families: int


@dataclass(frozen=True, slots=True)
class Mapped:
    """What a category of HealthBench means in ours: those that say yes or no, and the levels that say yes."""

    name: str
    yes: tuple[str, ...]
    no: tuple[str, ...]
    dimension: Dimension
    levels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outside:
    """One mapping on the half that is reported, at the threshold chosen on the other.

    `area` under the curve (0.5 is chance) needs no threshold; `tuning` counts the rows that it was chosen on.
    """

    mapped: Mapped
    threshold: float
    macro_f1: Estimate
    area: Estimate
    sensitivity: Estimate
    specificity: Estimate
    tuning: int


@dataclass(frozen=True, slots=True)
class ScenarioReport:
    """All that `clinalign evaluate scenario` says."""

    held_out: Mapping[Dimension, HeldOut]
    cross_validated: Mapping[Dimension, float]
    outside: tuple[Outside, ...]
    latency: Latency
    queries: int
    families: int


# Conditionally emergent counts as not emergent: its label says that it depends on what was not told.
MAPPINGS: Final = (
    Mapped(
        "emergency: emergent or not",
        ("emergency_referrals:emergent",),
        ("emergency_referrals:conditionally-emergent", "emergency_referrals:non-emergent"),
        Dimension.URGENCY,
        ("emergent",),
    ),
    Mapped(
        "context needed or not",
        ("context_seeking:not-enough-context",),
        ("context_seeking:enough-context",),
        Dimension.UNCERTAINTY,
        ("reducible",),
    ),
    Mapped(
        "uncertainty reducible, or none",
        ("hedging:any-reducible-uncertainty",),
        ("hedging:no-uncertainty",),
        Dimension.UNCERTAINTY,
        ("reducible",),
    ),
    Mapped(
        "uncertainty irreducible, or other",
        ("hedging:only-irreducible-uncertainty",),
        ("hedging:any-reducible-uncertainty", "hedging:no-uncertainty"),
        Dimension.UNCERTAINTY,
        ("irreducible",),
    ),
    Mapped(
        "professional or lay",
        ("communication:health-professional",),
        ("communication:not-health-professional",),
        Dimension.EXPERTISE,
        ("professional",),
    ),
    # The one theme that is a kind of task: records, notes, letters. The others cut across tasks.
    Mapped(
        "theme health data tasks, or another theme",
        ("theme:health_data_tasks",),
        (
            "theme:global_health",
            "theme:hedging",
            "theme:communication",
            "theme:emergency_referrals",
            "theme:context_seeking",
            "theme:complex_responses",
        ),
        Dimension.TASK_TYPE,
        ("documentation",),
    ),
)


def evaluate_scenario(
    principles: Sequence[Principle],
    vectors: NDArray[np.float32],
    queries: Sequence[LabelledQuery],
    asked: NDArray[np.float32],
    *,
    encoder: Encoder,
    folder: Path | None,
    resamples: int = RESAMPLES,
) -> ScenarioReport:
    """Measure with principle vectors in order of id, the queries' vectors, and first turns where a folder has them."""
    told = _cross_read(principles, vectors, queries, asked)
    reported = np.flatnonzero(~is_for_tuning(queries))
    whole = Snapshot(principles, assemble(principles, vectors, queries, asked))
    everything = range(len(queries))
    return ScenarioReport(
        held_out={d: _held_out(queries, told, d, reported.tolist(), resamples) for d in Dimension},
        cross_validated={d: _held_out(queries, told, d, everything, 1).macro_f1.value for d in Dimension},
        outside=_outside(whole, encoder, folder / FIRST_TURNS, resamples) if folder else (),
        latency=_latency(whole, queries, asked),
        queries=len(queries),
        families=len(set(families(queries))),
    )


def _cross_read(
    principles: Sequence[Principle],
    vectors: NDArray[np.float32],
    queries: Sequence[LabelledQuery],
    asked: NDArray[np.float32],
) -> list[Scenario]:
    """Each query read by heads that saw none of its family."""
    parts = folds(queries)
    told: dict[int, Scenario] = {}
    for part in np.unique(parts):
        seen = np.flatnonzero(parts != part).tolist()
        store = Snapshot(principles, assemble(principles, vectors, [queries[row] for row in seen], asked[seen]))
        for row in np.flatnonzero(parts == part).tolist():
            told[row] = store.consult(queries[row].text, asked[row], limit=1, families=()).scenario
    return [told[row] for row in range(len(queries))]


def _held_out(
    queries: Sequence[LabelledQuery],
    told: Sequence[Scenario],
    dimension: Dimension,
    rows: Sequence[int],
    resamples: int,
) -> HeldOut:
    levels = LEVELS[dimension]
    truth = codes([queries[row] for row in rows], dimension)
    guess = np.array([levels.index(told[row].label(dimension)) for row in rows], dtype=np.int64)
    names = families([queries[row] for row in rows]).tolist()
    confusion = np.zeros((len(levels), len(levels)), dtype=np.int64)
    np.add.at(confusion, (truth, guess), 1)
    return HeldOut(
        macro_f1=bootstrap(lambda at: reading(truth[at], guess[at], levels).macro_f1, names, resamples=resamples),
        accuracy=bootstrap(lambda at: float((truth[at] == guess[at]).mean()), names, resamples=resamples),
        f1=reading(truth, guess, levels).f1,
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        families=len(set(names)),
    )


def _outside(store: Snapshot, encoder: Encoder, path: Path, resamples: int) -> tuple[Outside, ...]:
    rows = [row for row in rows_of(path) if row.get("theme")]
    told = []
    for row in rows:
        text = row["first_user_turn"]
        told.append(store.consult(text, encoder.encode_one(text), limit=1, families=()).scenario)
    tags = [{f"theme:{row['theme']}", str(row.get("physician_agreed_category"))} for row in rows]
    digests = [hashlib.sha256(row["first_user_turn"].encode()).hexdigest() for row in rows]
    reported = np.array([half_of(digest) is Half.REPORTING for digest in digests])
    return tuple(_mapped(mapped, tags, told, reported, resamples) for mapped in MAPPINGS)


def _mapped(
    mapped: Mapped, tags: Sequence[set[str]], told: Sequence[Scenario], reported: NDArray[np.bool_], resamples: int
) -> Outside:
    yes = np.array([not tag.isdisjoint(mapped.yes) for tag in tags])
    counted = yes | np.array([not tag.isdisjoint(mapped.no) for tag in tags])
    sure = np.array([sum(one.probability(mapped.dimension, level) for level in mapped.levels) for one in told])
    tuning, rest = counted & ~reported, counted & reported
    threshold = max(_THRESHOLDS, key=lambda at: _macro_f1(yes[tuning], sure[tuning] >= at))
    truth, says, scores = yes[rest], sure[rest] >= threshold, sure[rest]
    rows = range(len(truth))
    return Outside(
        mapped=mapped,
        threshold=float(threshold),
        macro_f1=bootstrap(lambda at: _macro_f1(truth[at], says[at]), rows, resamples=resamples),
        area=bootstrap(lambda at: _area(truth[at], scores[at]), rows, resamples=resamples),
        sensitivity=bootstrap(lambda at: _share(says[at], truth[at]), rows, resamples=resamples),
        specificity=bootstrap(lambda at: _share(~says[at], ~truth[at]), rows, resamples=resamples),
        tuning=int(tuning.sum()),
    )


def _macro_f1(truth: NDArray[np.bool_], says: NDArray[np.bool_]) -> float:
    return reading(truth.astype(np.int64), says.astype(np.int64), ("no", "yes")).macro_f1


def _area(truth: NDArray[np.bool_], scores: NDArray[np.float64]) -> float:
    """The chance that a yes scores above a no, ties halved; 0.5 where one of the two is missing."""
    yes, no = scores[truth], scores[~truth]
    if not len(yes) or not len(no):
        return 0.5
    return float((yes[:, None] > no).mean() + 0.5 * (yes[:, None] == no).mean())


def _share(says: NDArray[np.bool_], of: NDArray[np.bool_]) -> float:
    return float(says[of].mean()) if of.any() else 0.0


def _latency(store: Snapshot, queries: Sequence[LabelledQuery], asked: NDArray[np.float32]) -> Latency:
    """Milliseconds of the heads alone, the encoding and the search done."""
    spent = []
    for query, vector in zip(queries, asked, strict=True):
        near = Near(*store.built.index.search(vector, limit=CANDIDATES))
        started = time.perf_counter()
        store.built.heads.read(query.text, vector, near)
        spent.append((time.perf_counter() - started) * 1e3)
    return Latency(float(np.percentile(spent, 50)), float(np.percentile(spent, 99)), len(spent))
