"""Measures in; sections of docs/evaluation.md out, each beginning with its heading, plots beside it."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from principles_store.graded import Half
from principles_store.intervals import Estimate
from principles_store.measures import Agreement, Proportion
from principles_store.plots import draw_confusion, draw_ways
from principles_store.retrieval_evaluation import SERVED, Cluster, Overall, RetrievalReport, Way
from principles_store.scenario_evaluation import Outside, ScenarioReport

_CHANCE: Final = 0.5  # the area under the curve of a guess
_LOW_F1: Final = 0.5


def retrieval_page(report: RetrievalReport, page: Path, *, command: str) -> None:
    """Write the section "Retrieval" and its plot; `command` is what printed it."""
    plot = draw_ways(
        tuple(way for way in report.ways if way.half is Half.REPORTING), page.parent / "retrieval-ways.svg"
    )
    counts = ", ".join(f"{count} of {source}" for source, count in report.questions.items())
    covered = [cluster for cluster in report.clusters if cluster.served]
    lacking = [cluster for cluster in report.clusters if not cluster.served]
    sections = [
        "## Retrieval",
        f"`{command}`",
        (
            f"{sum(report.questions.values())} real questions ({counts}), drawn by a fixed hash, with "
            f"{report.labels} graded labels (3 what it is about, 2 applies, 1 touches it). Labelled by "
            f"{report.labelled_by}. The reader saw, for each question, the first twelve of dense, BM25 and "
            "hybrid in order of id, not of rank, and graded any other of the 119 that applies as well; what "
            "has no grade counts as 0. Recall is the share of grade 2 and 3. The weights were chosen on the "
            "tuning half (by hash), the reporting half was only counted. Intervals: 95 %, bootstrap by "
            "question. Milliseconds: median of one ranking, the question already encoded, on a busy machine."
        ),
        (
            "The rows before the last fill ten places, whether or not a principle applies: they compare orders. The row "
            f"`{SERVED}` is what a question gets: the service's own steps (`Orchestrator.assess`), which keep what always "
            "applies, what a red flag brings in, and of the near ones a few (“What is taken to apply” tells how well). Its milliseconds "
            "are those of all steps before the draft, the screen among them."
        ),
        _ways_table(report.ways),
        f"![recall and gain by way of ranking]({plot.name})",
        "nDCG@10 of what is served, by source (reporting half): "
        + ", ".join(f"{source} {_estimate(value)}" for source, value in report.by_source.items())
        + ".",
        "### Consensus clusters of HealthBench",
        (
            "For conversations whose criteria belong to a cluster: is a principle that asks the same served with the "
            "whole conversation? Would one be, if ten places were filled? Which principles do is our own reading of both "
            "(`principles_store/consensus.yaml`). Nothing was chosen on these."
        ),
        _clusters_table(covered, report.overall),
        (
            "The last rows take the clusters of all conversations together; their intervals resample conversations. "
            "Where a principle always comes nothing had to be found, so the last row leaves those clusters out."
        ),
        "No principle asks what these clusters ask: "
        + "; ".join(f"`{cluster.name}` ({cluster.why})" for cluster in lacking)
        + ".",
        *_agreement(report),
        (
            "**What it can't do.** The labels are one reader's, and not a clinician's. A question without "
            "context (K-QA has many, asked in the middle of a talk) says too little for any ranking. Ten places, "
            "three of which always go to the same principles, cannot hold all that touches a question, and what is served is fewer. The "
            "encoder reads English: for other languages nearness says little, and the service then takes only "
            f"what always applies and what a red flag brings in. {_misses(covered, report.overall[-1])}"
        ),
    ]
    _write(page, sections)


def scenario_page(report: ScenarioReport, page: Path, *, command: str) -> None:
    """Write the section "Scenario" and its plot; `command` is what printed it."""
    plot = draw_confusion(report.held_out, page.parent / "scenario-confusion.svg")
    held = next(iter(report.held_out.values()))
    rows = [
        (
            dimension.value.replace("_", " "),
            _estimate(found.macro_f1),
            _estimate(found.accuracy),
            ", ".join(f"{level} {value:.2f}" for level, value in found.f1.items()),
            f"{report.cross_validated[dimension]:.3f}",
        )
        for dimension, found in report.held_out.items()
    ]
    sections = [
        "## Scenario",
        f"`{command}`",
        (
            f"{report.queries} labelled queries of our own in {report.families} families: principles that are "
            "asked for in nearly the same words are one family (`principles_store/kinship.py`). Every query "
            "is read by heads that saw none of its family (five folds). Features and regularisation were "
            f"chosen on one half of the families; below are the {held.macro_f1.count} queries of the "
            f"{held.families} others. Intervals: 95 %, bootstrap by family."
        ),
        _table(("dimension", "macro-F1", "accuracy", "F1 by level", "macro-F1, all families"), rows),
        f"![levels read against true ones]({plot.name})",
        (
            f"One reading, encoding and search done: {report.latency.p50:.2f} ms (median), "
            f"{report.latency.p99:.2f} ms (99 %)."
        ),
        *_outside_sections(report.outside),
        (
            "**What it can't do.** It guesses. Urgent and routine are told apart no better than the table "
            "says, so nothing that protects a person rests on it: red flags have a screen of their own, and raise urgency "
            f"whatever is read here.{_seldom_read(report)}{_at_chance(report.outside)} Physicians' "
            "categories were given to whole conversations, of which only the first turn is read here."
        ),
    ]
    _write(page, sections)


def _seldom_read(report: ScenarioReport) -> str:
    """The levels that are read wrongly more often than not, the worst first."""
    low = [
        (value, f"{level} ({dimension.value.replace('_', ' ')}, {value:.2f})")
        for dimension, found in report.held_out.items()
        for level, value in found.f1.items()
        if value < _LOW_F1
    ]
    return f" Levels of an F1 below {_LOW_F1}: {', '.join(name for _, name in sorted(low))}." if low else ""


def _at_chance(found: Sequence[Outside]) -> str:
    """The outside checks whose area's interval holds that of chance."""
    blind = [outside for outside in found if outside.area.low <= _CHANCE <= outside.area.high]
    names = "; ".join(
        f"{outside.mapped.name} (`{' or '.join(outside.mapped.levels)}`, area {_estimate(outside.area)} over "
        f"{outside.area.count} rows)"
        for outside in blind
    )
    return f" No better than chance, as far as can be told, it tells from outside: {names}." if blind else ""


def _ways_table(ways: Sequence[Way]) -> str:
    rows = [
        (
            way.name,
            way.half.value,
            str(way.recall10.count),
            f"{way.taken:.1f} (at most {way.most})",
            _estimate(way.recall5),
            _estimate(way.recall10),
            _estimate(way.ndcg),
            f"{way.milliseconds:.2f}",
        )
        for way in ways
    ]
    return _table(("ranking", "half", "questions", "principles", "recall@5", "recall@10", "nDCG@10", "ms"), rows)


def _clusters_table(clusters: Iterable[Cluster], overall: Iterable[Overall]) -> str:
    rows = [
        (f"`{cluster.name}`", *_share(cluster.served), *_share(cluster.ten), "yes" if cluster.always else "")
        for cluster in clusters
        if cluster.served and cluster.ten
    ]
    together = [
        (
            f"**{one.name}** ({one.conversations} conversations)",
            _estimate(one.served),
            f"{one.served_hits}/{one.served.count}",
            _estimate(one.ten),
            f"{one.ten_hits}/{one.ten.count}",
            "",
        )
        for one in overall
    ]
    headings = "cluster", "served", "counts", "in ten places", "counts", "one always comes"
    return _table(headings, [*rows, *together])


def _misses(clusters: Sequence[Cluster], chosen: Overall) -> str:
    """How often the outside check fails, where it always does, and why."""
    tried = [(cluster.name, cluster.served) for cluster in clusters if cluster.served and cluster.served.total]
    never = [f"`{name}` (0/{share.total})" for name, share in tried if not share.hits]
    served = chosen.served
    mostly = "mostly fails" if served.value < 0.5 else "often fails"  # noqa: PLR2004 - half of the cases
    return (
        f"The outside check {mostly} where no principle always comes: one for the cluster is served in {_estimate(served)} of "
        f"cases, {chosen.served_hits} of {served.count}; filling ten places would give {_estimate(chosen.ten)}. "
        + (f"Never served: {'; '.join(never)}. " if never else "")
        + "Clusters tell how to answer (how long, how sure, for whom), which the words of a question seldom do, and nearness "
        "finds what a question is about. What is not served is not judged: nothing holds the answer to it."
    )


def _agreement(report: RetrievalReport) -> list[str]:
    if report.agreement is None or report.agreement_of_ten is None:
        return []
    return [
        "**int8 against fp32 encoder**, the screen being the same. "
        f"Served: {_agreed(report.agreement)} Ten places filled: {_agreed(report.agreement_of_ten)}"
    ]


def _agreed(found: Agreement) -> str:
    (share, counts), (same, times) = _share(found.shared), _share(found.same_set)
    return f"int8 has {share} of fp32's principles ({counts}), and the very same ones for {same} of the questions ({times})."


def _outside_sections(found: Sequence[Outside]) -> list[str]:
    if not found:
        return []
    rows = [
        (
            outside.mapped.name,
            f"{outside.mapped.dimension.value.replace('_', ' ')}: {' or '.join(outside.mapped.levels)}",
            str(outside.tuning),
            str(outside.area.count),
            _estimate(outside.area),
            f"{outside.threshold:.2f}",
            _estimate(outside.macro_f1),
            _estimate(outside.sensitivity),
            _estimate(outside.specificity),
        )
        for outside in found
    ]
    headings = (
        "HealthBench", "ours", "tuning", "reported", "area", "threshold", "macro-F1", "sensitivity", "specificity",
    )  # fmt: skip
    return [
        "### Against HealthBench's themes and physician-agreed categories",
        (
            "First turns only; nothing was fitted on their texts. Rows are split by hash: the threshold on "
            "our probability was chosen on the tuning half, the other is reported. Conditionally emergent "
            "counts as not emergent. Of the themes only `health_data_tasks` is a kind of task; the others cut "
            "across tasks and have no counterpart among ours."
        ),
        _table(headings, rows),
    ]


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _estimate(value: Estimate) -> str:
    return f"{value.value:.3f} ({value.low:.3f} to {value.high:.3f})"


def _share(share: Proportion) -> tuple[str, str]:
    low, high = share.interval
    return f"{share.value:.3f} ({low:.3f} to {high:.3f})", f"{share.hits}/{share.total}"


def _write(page: Path, sections: Sequence[str]) -> None:
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n\n".join(sections) + "\n", encoding="utf-8")
