"""What the command line found in; tables for a terminal out."""

from collections.abc import Sequence
from pathlib import Path

from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from principles_store.building import Manifest
from principles_store.evaluation import Report
from principles_store.importer import Imported
from principles_store.intervals import Estimate
from principles_store.measures import Proportion
from principles_store.retrieval_evaluation import RetrievalReport
from principles_store.scenario_evaluation import ScenarioReport
from principles_store.schema import Principle
from principles_store.store import Consultation
from principles_store.validate import Validation

Tables = Sequence[Table | Panel | str]


def principles(found: Sequence[Principle]) -> Tables:
    """One row a principle."""
    table = _table("id", "title", "criteria", "weights", "always on", title=f"{len(found)} principles")
    for principle in found:
        weights = " ".join(str(criterion.weight) for criterion in principle.criteria)
        always = "yes" if principle.always_on else ""
        table.add_row(principle.id, principle.title, str(len(principle.criteria)), weights, always)
    return [table]


def principle(found: Principle) -> Tables:
    """The whole of one principle."""
    about = [found.statement, found.rationale, f"Applies when: {found.applies_when}"]
    evidence = [f"{e.name} ({e.year or 'no year'}), {_checked(e.source_checked)}" for e in found.evidence]
    status = f"version {found.version}, {found.review_status.replace('_', ' ')}"
    whole = "\n\n".join([*about, "\n".join(evidence), status])
    panel = Panel(whole, title=Text(f"{found.title} ({found.id})"))
    table = _table("criterion", "polarity", "weight", "text", title=f"{len(found.criteria)} criteria")
    for criterion in found.criteria:
        table.add_row(criterion.id, criterion.polarity.value, str(criterion.weight), criterion.text)
    return [panel, table]


def consultation(told: Consultation) -> Tables:
    """The scenario, then the principles in the order in which they matter."""
    scenario = _table("dimension", "level", "probability", title="Scenario")
    for dimension, level in told.scenario.labels.items():
        scenario.add_row(dimension.value, level, f"{told.scenario.probability(dimension, level):.2f}")
    table = _table("brought in by", "id", "title", "similarity", title="Principles")
    for how, matches in (("always", told.always_on), ("red flag", told.flagged), ("nearness", told.nearest)):
        for match in matches:
            table.add_row(how, match.principle.id, match.principle.title, f"{match.similarity:.3f}")
    return [scenario, table, f"about health (1) or something else (-1): {told.topic.health:.2f}"]


def validation(result: Validation) -> Tables:
    """Coverage, then the faults."""
    coverage = _table(
        "dimension", "level", "principles", title=f"{result.count} principles, {result.criteria} criteria"
    )
    for (dimension, level), count in result.coverage.items():
        coverage.add_row(dimension.value, level, str(count))
    faults = _table("where", "fault", title=f"{len(result.faults)} faults")
    for fault in result.faults:
        faults.add_row(fault.where, fault.message)
    compared = "" if result.compared else "near-duplicates were not looked for: that needs the encoder"
    return [coverage, *([faults] if result.faults else ["no faults"]), *([compared] if compared else [])]


def imported(found: Imported, written: Sequence[Path]) -> Tables:
    """What became what, what was left, and the files."""
    mapped = _table("field", "times", title=f"{len(found.principles)} principles imported")
    for name, times in found.mapped.items():
        mapped.add_row(name, str(times))
    for name, times in found.unread_fields.items():
        mapped.add_row(f"{name} (no place for it)", str(times))
    left = _table("left", "why", title=f"{len(found.left)} entries left")
    for entry in found.left:
        left.add_row(entry.where, entry.reason)
    derived = f"{len(found.derived)} had no criteria: their statement became one, of weight 5"
    return [mapped, left, derived, *(f"written: {path}" for path in written)]


def manifest(built: Manifest, folder: Path) -> Tables:
    """What was built from what."""
    table = _table("built", "", title=str(folder))
    table.add_row("principles", f"{built.count}, digest {built.principles_digest[:12]}")
    table.add_row("labelled queries", f"{built.queries}, digest {built.queries_digest[:12]}")
    table.add_row("encoder", f"{built.encoder_name}, {built.precision}, digest {built.encoder_digest[:12]}")
    return [table]


def report(measured: Report) -> Tables:
    """Every measure, with counts and intervals."""
    table = _table("measure", "value", "counts", "95 % interval", title="Evaluation")
    for depth, proportion in measured.found.recall.items():
        table.add_row(f"recall@{depth}, reporting half", *_cells(proportion))
    table.add_row("nDCG@10, reporting half", f"{measured.found.ndcg:.3f}", "", "")
    for dimension, reading in measured.readings.items():
        table.add_row(f"{dimension.value} macro-F1, by family", f"{reading.macro_f1:.3f}", "", "")
        table.add_row(f"{dimension.value} accuracy", *_cells(reading.accuracy))
    if measured.agreement:
        table.add_row("int8 shares the ten with fp32", *_cells(measured.agreement.shared))
        table.add_row("int8 brings in the same ten", *_cells(measured.agreement.same_set))
    table.add_row("one consultation, p50 / p99 ms", *_latency(measured))
    return [table]


def retrieval(measured: RetrievalReport) -> Tables:
    """Each way of ranking on each half, then the clusters."""
    headings = "ranking", "half", "questions", "principles", "recall@5", "recall@10", "nDCG@10", "ms"
    ways = _table(*headings, title="Retrieval")
    for way in measured.ways:
        values = (_estimated(value) for value in (way.recall5, way.recall10, way.ndcg))
        counts = str(way.ndcg.count), f"{way.taken:.1f} (at most {way.most})"
        ways.add_row(way.name, way.half.value, *counts, *values, f"{way.milliseconds:.2f}")
    clusters = _table("cluster", "served", "counts", "95 % interval", title="Consensus clusters")
    for cluster in measured.clusters:
        clusters.add_row(cluster.name, *(_cells(cluster.served) if cluster.served else ("", "", cluster.why)))
    for one in measured.overall:
        bounds = f"{one.served.low:.3f} to {one.served.high:.3f}"
        clusters.add_row(one.name, f"{one.served.value:.3f}", f"{one.served_hits}/{one.served.count}", bounds)
    compared = measured.agreement
    shared = f"int8 serves {compared.shared.value:.3f} of what fp32 serves" if compared else ""
    return [ways, clusters, *([shared] if shared else []), f"labelled by {measured.labelled_by}"]


def scenario(measured: ScenarioReport) -> Tables:
    """Each dimension on unseen families, then the outside check."""
    held = _table("dimension", "macro-F1", "accuracy", "queries", "families", title="Scenario, unseen families")
    for dimension, found in measured.held_out.items():
        counts = str(found.macro_f1.count), str(found.families)
        held.add_row(dimension.value, _estimated(found.macro_f1), _estimated(found.accuracy), *counts)
    outside = _table("HealthBench", "rows", "area", "macro-F1", "sensitivity", "specificity", title="Outside check")
    for one in measured.outside:
        values = (_estimated(value) for value in (one.area, one.macro_f1, one.sensitivity, one.specificity))
        outside.add_row(one.mapped.name, str(one.area.count), *values)
    spent = f"one reading: {measured.latency.p50:.2f} / {measured.latency.p99:.2f} ms (p50 / p99)"
    return [held, *([outside] if measured.outside else []), spent]


def _estimated(value: Estimate) -> str:
    return f"{value.value:.3f} ({value.low:.3f} to {value.high:.3f})"


def _table(*headings: str, title: str) -> Table:
    """A table whose cells fold where they don't fit: an id that is cut short is of no use."""
    table = Table(title=Text(title, style="italic"))
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _cells(proportion: Proportion) -> tuple[str, str, str]:
    low, high = proportion.interval
    return f"{proportion.value:.3f}", f"{proportion.hits}/{proportion.total}", f"{low:.3f} to {high:.3f}"


def _latency(measured: Report) -> tuple[str, str, str]:
    spent = measured.latency
    return f"{spent.p50:.1f} / {spent.p99:.1f}", f"{spent.count}", ""


def _checked(checked: bool) -> str:  # noqa: FBT001 - a field of the record
    return "source checked" if checked else "source not checked"
