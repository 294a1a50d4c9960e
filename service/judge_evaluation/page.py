"""A report becomes a section of the evaluation page: Markdown, with the reliability plot beside it."""

import importlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from service.judge_evaluation.baselines import MAJORITY
from service.judge_evaluation.measures import Interval
from service.judge_evaluation.report import Report

PLOT: Final = "judge-reliability.svg"
NO_LABELS: Final = "no labels"
_NAMES: Final = {
    "majority": "the commoner label, always",
    "overlap": "share of the claim's stems in the answer",
    "cosine": "cosine to the nearest sentence",
}


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The first judge on the rows of another file."""

    data: str
    report: Report


def write_page(
    path: Path, reports: Sequence[Report], *, command: str, data: str, also: Sequence[Elsewhere] = ()
) -> None:
    """Write the section of one data set; the first report is the judge that is plotted, others are compared."""
    lines = [*_lines(reports, command=command, data=data, also=also)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    if reports[0].bins:
        (path.parent / PLOT).write_bytes(reliability_plot(reports[0]))


def reliability_plot(report: Report) -> bytes:
    """The share of physicians who said yes by the judge's probability, as SVG; the same bytes each time."""
    # Imported here: the gateway is installed without it.
    matplotlib = importlib.import_module("matplotlib")
    matplotlib.use("svg")
    figures: Any = importlib.import_module("matplotlib.figure")
    with matplotlib.rc_context({"svg.hashsalt": "clinalign", "svg.fonttype": "none"}):
        figure = figures.Figure(figsize=(4.6, 4.2))
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], linestyle=":", color="0.5")
        axes.plot([b.probability for b in report.bins], [b.observed for b in report.bins], marker="o", color="#1f5fa8")
        for each in report.bins:
            axes.annotate(
                str(each.count), (each.probability, each.observed), xytext=(5, -11), textcoords="offset points"
            )
        axes.set(
            xlim=(0, 1), ylim=(0, 1), xlabel="probability given by the judge", ylabel="share of physicians who said yes"
        )
        axes.set_title(f"{report.judge.split('@')[0]}: ECE {_figure(report.ece)}; figures are rows", fontsize=9)
        figure.tight_layout()
        out = io.BytesIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def _lines(reports: Sequence[Report], *, command: str, data: str, also: Sequence[Elsewhere]) -> Iterator[str]:
    first = reports[0]
    yield "## Judge: does the answer do this?"
    yield ""
    yield f"`{command}`"
    yield ""
    yield (
        f"{first.labelled} rows of {first.questions} questions in {data}, {first.labels} physicians' labels. Each "
        "prediction is paired with each physician's label. Intervals are 95 %, resampling questions."
    )
    yield ""
    if not first.labelled:
        yield f"None of the {first.rows} rows has a label: there is nothing to measure."
        return
    yield from _held_out(first)
    yield from _compared(reports)
    yield ""
    yield f"![Reliability of the judge]({PLOT})"
    yield ""
    yield from _categories(first)
    yield from _errors(first)
    yield from _times(first)
    yield from _ways(reports)
    for other in also:
        yield from _elsewhere(other)
    yield from _limits(first)
    for other in also:
        yield from _limits_elsewhere(other)


def _held_out(report: Report) -> Iterator[str]:
    if report.provenance is None:
        return
    mine, new, seen = report.provenance.cross_fitted, report.provenance.fresh, report.provenance.seen
    yield (
        f"The network was trained on none of the labelled questions and has read no physician's label. Weights of its "
        f"evidence were fitted on replies to other questions, written here, with logits of networks that had not learnt "
        f"them; how much they count, and the threshold, on physicians' labels in folds by question: {mine} rows are judged by a fit that has not seen their question, "
        f"{new} rows are of questions that no fit has seen. What a fit may choose was chosen by folds within the rows "
        f"that it was fitted on. The network's design and the list of what may be weighed were settled after figures "
        f"like these of earlier tries had been seen, so they flatter it somewhat."
    )
    if seen:
        yield f"In training the network has read a physician's own answer to the question of {seen} rows, but no label."
    yield ""


def _compared(reports: Sequence[Report]) -> Iterator[str]:
    first = reports[0]
    columns = ("Judge", "Rows", "Macro-F1 (95 %)", "Accuracy", "Kappa", "ECE", "Unknown", "ms a criterion")
    yield from _header(*columns, "First judge above it (95 %)")
    for r in reports:
        yield (
            f"| {r.judge} | {r.labelled} | {_interval(r.macro_f1)} | {_figure(r.accuracy)} | {_figure(r.kappa)} | {_figure(r.ece)} | "
            f"{r.unknown} | {r.milliseconds:.1f} | |"
        )
    for name, value in first.baselines.items():
        above = _interval(first.above[name], sign=True)
        yield f"| {_NAMES.get(name, name)} | {first.labelled} | {_interval(value)} | | | | | | {above} |"
    if first.physicians is not None:
        yield f"| one physician against another | {first.labelled} | {_interval(first.physicians)} | | | | | | |"


def _header(*columns: str) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield "|" + "---|" * len(columns)


def _categories(report: Report) -> Iterator[str]:
    if not report.categories:
        return
    yield from _header("Rows of", "Rows", "Physicians say yes", "Macro-F1", "Accuracy")
    for each in report.categories:
        # Of labels of one kind a mean over both kinds says nothing.
        f1 = f"{each.macro_f1:.3f}" if 0 < each.prevalence < 1 else "one label"
        name = each.name.rsplit("cluster:")[-1]
        yield f"| {name} | {each.rows} | {each.prevalence:.2f} | {f1} | {each.accuracy:.3f} |"
    yield ""


def _errors(report: Report) -> Iterator[str]:
    yield from _header(
        "Errors", "Rows", "Physicians were not of one mind", "Half of the claim's stems are in the answer"
    )
    for each in report.errors:
        yield f"| {each.name} | {each.rows} | {each.split} | {each.wordy} |"
    yield ""


def _times(report: Report) -> Iterator[str]:
    if report.bench is not None:
        b = report.bench
        yield (
            f"Ten criteria of a {b['answer_tokens']:.0f}-token answer on one thread: {b['together_processor_ms']:.0f} "
            f"ms of processor time in one pass ({b['together_least_ms']:.0f} ms by the clock, median "
            f"{b['together_median_ms']:.0f}), {b['one_by_one_processor_ms']:.0f} ms one after the other "
            f"({b['one_by_one_least_ms']:.0f}, median {b['one_by_one_median_ms']:.0f})."
        )
        yield ""


def _ways(reports: Sequence[Report]) -> Iterator[str]:
    """One call for all criteria of an answer, and one call each: both were measured."""
    asked = [(report, report.other_calls) for report in reports if report.other_calls is not None]
    if not asked:
        return
    yield "Each judge asked in both ways about the same rows; the first is the one that the gateway uses:"
    yield ""
    yield from _header("Judge", "Asked with", "Macro-F1", "Unknown", "ms a criterion", "Same verdict as the other way")
    for report, other in asked:
        same = f"{100 * other.agreement:.1f} %"
        yield (
            f"| {report.judge} | {other.usual} | {_interval(report.macro_f1)} | {report.unknown} | "
            f"{report.milliseconds:.1f} | {same} |"
        )
        yield f"| | {other.way} | {_figure(other.macro_f1)} | {other.unknown} | {other.milliseconds:.1f} | |"
    yield ""


def _elsewhere(other: Elsewhere) -> Iterator[str]:
    r = other.report
    if not r.labelled:
        yield f"None of the {r.rows} rows of {other.data} has a label."
        yield ""
        return
    yield (
        f"On {other.data} ({r.labelled} rows with a label, {r.questions} conversations, evaluated only): macro-F1 "
        f"{_interval(r.macro_f1)}, accuracy {_figure(r.accuracy)}, kappa {_figure(r.kappa)}, ECE {_figure(r.ece)}, {r.unknown} unknown; "
        + "; ".join(
            f"{_NAMES.get(name, name)} {_interval(value)}, the judge above it {_interval(r.above[name], sign=True)}"
            for name, value in r.baselines.items()
        )
        + "."
    )
    yield ""
    yield from _categories(r)


def _limits(report: Report) -> Iterator[str]:
    yield "What it can't do:"
    yield ""
    yield (
        "- It reads what an answer says, not whether it is true, kind or well put. Criteria that ask for a judgement "
        "of the whole (tone, completeness, suitable detail) are beyond it."
    )
    yield "- It reads English, criteria of up to a long paragraph (400 tokens) and answers of some pages; all else is unknown, never met."
    yield (
        "- Of some criteria that name an act it says that it doesn't know, where its probability lies near neither end: "
        "unknown is never met."
    )
    yield (
        "- Of the question it reads only which of a criterion's words were the person's own and so tell little: an "
        "answer that says only “yes” tells it nothing. No question makes a claim likelier; one that names a forbidden "
        "thing can hide a mention of it that is doubtful already."
    )
    yield f"- {report.questions} questions are few: an interval tells how few."


def _limits_elsewhere(other: Elsewhere) -> Iterator[str]:
    r = other.report
    above = r.above.get(MAJORITY)
    if above is None:
        return
    than = (
        "worse than"
        if above.high < 0
        else "better than"
        if above.low > 0
        else "no better and no worse, as far as can be told, than"
    )
    yield (
        f"- On {other.data} it does {than} always giving the commoner label (macro-F1 {_interval(above, sign=True)} over "
        f"{r.labelled} labelled rows), and {r.unknown} of the {r.rows} rows are unknown to it."
    )


def _figure(value: float | None) -> str:
    return NO_LABELS if value is None else f"{value:.3f}"


def _interval(value: Interval | None, *, sign: bool = False) -> str:
    if value is None:
        return NO_LABELS
    form = "+.3f" if sign else ".3f"
    return f"{value.value:{form}} ({value.low:{form}} to {value.high:{form}})"
