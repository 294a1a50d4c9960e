"""Rows, predictions and baselines in; one report with counts and intervals out."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from service.entailment.lexical import overlap
from service.judge_evaluation.asking import Predictions
from service.judge_evaluation.measures import Bin, Interval, Tally, expected_error, physicians, reliability
from service.judge_evaluation.rows import Row

PASSED_WRONGLY: Final = "told by the judge, not by most physicians"
MISSED: Final = "told by most physicians, not by the judge"
_WORDY: Final = 0.5


@dataclass(frozen=True, slots=True)
class Category:
    """The rows of one category: how many, how often physicians said yes, and how the judge did."""

    name: str
    rows: int
    prevalence: float
    macro_f1: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the rows stand to what the judge was fitted on.

    `cross_fitted` rows were judged by a head that has not seen their question, `fresh` ones by the head of all, of
    which the network has read a physician's own answer to the question of `seen`.
    """

    cross_fitted: int
    fresh: int
    seen: int


@dataclass(frozen=True, slots=True)
class OtherWay:
    """What the judge said when it was asked in another `way` than `usual`."""

    way: str
    usual: str
    found: Predictions


@dataclass(frozen=True, slots=True)
class OtherCalls:
    """The same rows asked the other way: `way` is one call for all criteria of an answer, or one call each.

    `usual` is the way of the report's own figures. `agreement` is the share of equal verdicts, `largest_difference`
    that of probabilities where both gave one.
    """

    way: str
    usual: str
    macro_f1: float | None
    unknown: int
    agreement: float
    largest_difference: float | None
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Errors:
    """Rows that the judge tells apart from most physicians. `split`: not all physicians agreed on them.

    `wordy`: at least half of the claim's stems are in the answer, so that by its words alone it would be told.
    """

    name: str
    rows: int
    split: int
    wordy: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Report:
    """All that `clinalign evaluate judge` says. Intervals resample questions; `above` maps a baseline's name.

    Where no row has a label nothing is measured: what the judge is held against labels for is None, or empty.
    `unanswered` rows have no answer: they are among the unknown.
    """

    judge: str
    rows: int
    labelled: int
    labels: int
    questions: int
    unknown: int
    unanswered: int
    macro_f1: Interval | None
    accuracy: float | None
    kappa: float | None
    ece: float | None
    bins: tuple[Bin, ...]
    baselines: Mapping[str, Interval]
    above: Mapping[str, Interval]
    physicians: Interval | None
    categories: tuple[Category, ...]
    errors: tuple[Errors, ...]
    provenance: Provenance | None
    milliseconds: float
    other_calls: OtherCalls | None
    bench: Mapping[str, float] | None

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON: `macro_f1` is the number, `macro_f1_interval_95` its bounds; null without labels."""
        f1 = self.macro_f1
        value, bounds = (f1.value, [f1.low, f1.high]) if f1 is not None else (None, None)
        return asdict(self) | {"macro_f1": value, "macro_f1_interval_95": bounds}


def compose(
    judge: str,
    rows: Sequence[Row],
    predictions: Predictions,
    baselines: Mapping[str, Sequence[bool]],
    *,
    provenance: Provenance | None = None,
    other_way: OtherWay | None = None,
    bench: Mapping[str, float] | None = None,
) -> Report:
    """Measure the predictions on the rows that have labels. `baselines` say told or not for every row."""
    kept = [at for at, row in enumerate(rows) if row.labels]
    chosen = [rows[at] for at in kept]
    labels, clusters = [row.labels for row in chosen], [row.cluster for row in chosen]
    tally = Tally([predictions.told[at] for at in kept], labels, clusters)
    others = {name: Tally([told[at] for at in kept], labels, clusters) for name, told in baselines.items() if kept}
    known = [at for at in kept if predictions.found[at].probability is not None]
    bins = reliability([predictions.found[at].probability or 0.0 for at in known], [rows[at].labels for at in known])
    people = physicians(labels, clusters)
    return Report(
        judge=judge,
        rows=len(rows),
        labelled=len(kept),
        labels=sum(len(votes) for votes in labels),
        questions=len(set(clusters)),
        unknown=sum(p.present is None for p in predictions.found),
        unanswered=sum(not row.answered for row in rows),
        macro_f1=tally.interval() if kept else None,
        accuracy=tally.accuracy if kept else None,
        kappa=tally.kappa if kept else None,
        ece=expected_error(bins) if kept else None,
        bins=bins,
        baselines={name: other.interval() for name, other in others.items()},
        above={name: tally.above(other) for name, other in others.items()},
        physicians=people.interval() if people else None,
        categories=_categories(rows, kept, predictions),
        errors=_wrong(rows, kept, predictions) if kept else (),
        provenance=provenance,
        milliseconds=predictions.milliseconds,
        other_calls=_compared(rows, predictions, other_way) if other_way else None,
        bench=bench,
    )


def _most(row: Row) -> bool:
    return 2 * sum(row.labels) > len(row.labels)


def _wrong(rows: Sequence[Row], kept: Sequence[int], predictions: Predictions) -> tuple[Errors, ...]:
    passed = [at for at in kept if predictions.told[at] and not _most(rows[at])]
    missed = [at for at in kept if not predictions.told[at] and _most(rows[at])]
    return _errors(PASSED_WRONGLY, passed, rows, predictions), _errors(MISSED, missed, rows, predictions)


def _errors(name: str, wrong: Sequence[int], rows: Sequence[Row], predictions: Predictions) -> Errors:
    return Errors(
        name=name,
        rows=len(wrong),
        split=sum(len(set(rows[at].labels)) > 1 for at in wrong),
        wordy=sum(overlap(rows[at].criterion, rows[at].answer) >= _WORDY for at in wrong),
        unknown=sum(predictions.found[at].present is None for at in wrong),
    )


def _categories(rows: Sequence[Row], kept: Sequence[int], predictions: Predictions) -> tuple[Category, ...]:
    names = sorted({name for at in kept for name in rows[at].categories})
    found = []
    for name in names:
        mine = [at for at in kept if name in rows[at].categories]
        labels = [rows[at].labels for at in mine]
        tally = Tally([predictions.told[at] for at in mine], labels, [rows[at].cluster for at in mine])
        prevalence = statistics.fmean(vote for votes in labels for vote in votes)
        found.append(Category(name, len(mine), prevalence, tally.macro_f1, tally.accuracy))
    return tuple(found)


def _compared(rows: Sequence[Row], usual: Predictions, asked: OtherWay) -> OtherCalls:
    other = asked.found
    kept = [at for at, row in enumerate(rows) if row.labels]
    told, labels = [other.told[at] for at in kept], [rows[at].labels for at in kept]
    pairs = list(zip(usual.found, other.found, strict=True))
    apart = [
        abs(a.probability - b.probability) for a, b in pairs if a.probability is not None and b.probability is not None
    ]
    return OtherCalls(
        way=asked.way,
        usual=asked.usual,
        macro_f1=Tally(told, labels, [rows[at].cluster for at in kept]).macro_f1 if kept else None,
        unknown=sum(each.present is None for each in other.found),
        agreement=statistics.fmean(a.present is b.present for a, b in pairs),
        largest_difference=max(apart, default=None),
        milliseconds=other.milliseconds,
    )
