"""What the clients and suites did, as docs/clients.md."""

from collections.abc import Sequence

from tests.clients.outcome import COLUMNS, Cell, ClientRun, SuiteRun

_HEAD = """# Real clients

Written by `make test-clients`: each client in its own process, as its users write it, against `clinalign serve` with
API keys set, in front of a scripted model over HTTP. Every draft of that model lacks one thing that answers must do,
and only a revision puts it in: a cell is "yes" where the client got the revised answer (and, for tools, called one,
sent its result back and got an answer to it). Streams are kept alive with SSE comments while the answer is checked.
The clients could reach nothing but the gateway; one that tries to reach more fails.
"""
_WITHHELD = """
## An answer that is withheld

Status 200 with `finish_reason: content_filter` and the policy's words, since clients try a 5xx again.
"""
_SUITES = """
## Suites
"""


def page(clients: Sequence[ClientRun], suites: Sequence[SuiteRun]) -> str:
    """The whole page, in Markdown."""
    parts = [_HEAD, _table(clients), _WITHHELD, _withheld(clients), _SUITES, _overview(suites), *map(_details, suites)]
    return "\n".join(parts)


def _table(clients: Sequence[ClientRun]) -> str:
    rows = [["client", "version", *COLUMNS, "also", "notes"]]
    rows += [_row(run) for run in clients]
    return _markdown(rows)


def _row(run: ClientRun) -> list[str]:
    cells = {cell.check: cell for cell in run.cells}
    also = [f"{cell.check}{_unless(cell)}" for cell in run.cells if cell.check not in {*COLUMNS, "withheld"}]
    notes = [run.notes, *(f"{cell.check}: {cell.said}" for cell in run.cells if cell.said and cell.check != "withheld")]
    told = "; ".join(note for note in notes if note)
    return [run.client, run.version, *(_cell(cells.get(name)) for name in COLUMNS), ", ".join(also), run.broken or told]


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return "not run"
    return "yes" if cell.passed else "**no**"


def _unless(cell: Cell) -> str:
    return "" if cell.passed else " **no**"


def _withheld(clients: Sequence[ClientRun]) -> str:
    rows = [["client", "what its caller sees"]]
    rows += [[run.client, cell.said] for run in clients for cell in run.cells if cell.check == "withheld"]
    return _markdown(rows)


def _overview(suites: Sequence[SuiteRun]) -> str:
    rows = [["suite", "version", "passed", "failed", "skipped by the suite"]]
    for run in suites:
        failed = sum(not probe.passed for probe in run.probes)
        skipped = sum(probe.status == "skipped" for probe in run.probes)
        passed = len(run.probes) - failed - skipped
        rows.append([f"`{run.command}`", run.version, *map(str, (passed, failed, skipped))])
    return _markdown(rows)


def _details(run: SuiteRun) -> str:
    told = [probe for probe in run.probes if not probe.passed or probe.said]
    if not told:
        return ""
    rows = [["test", "result", "it says", "why"]]
    rows += [[f"`{p.name}`", p.status, p.said, run.explained.get(p.name, "")] for p in told]
    return f"\n`{run.command}`:\n\n{_markdown(rows)}"


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    head, *body = [[_plain(cell) for cell in row] for row in rows]
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _plain(cell: str) -> str:
    return " ".join(cell.replace("|", "\\|").split())
