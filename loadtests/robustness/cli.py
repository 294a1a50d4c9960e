"""`clinalign load parity|cancel|chaos|...`: prove one thing, and write down what was found."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.progress import Progress

from loadtests.robustness import cancel, chaos, flood, parity, sections
from loadtests.robustness.faults import troubles
from loadtests.robustness.stalls import stalls
from loadtests.schema import report as schema

commands = typer.Typer()
Page = Annotated[Path | None, typer.Option(help="Write the section there, in Markdown.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print nothing but JSON.")]


@commands.command("parity")
def prove_parity(
    conversations: Annotated[int, typer.Option(min=1)] = 200, page: Page = None, *, as_json: AsJson = False
) -> None:
    """The same question streamed and unstreamed: outcome, verdicts, text, calls and usage are the same."""
    with _progress("conversations", conversations) as step:
        found = parity.summary(asyncio.run(parity.measure(count=conversations, progress=step)))
    _tell(sections.parity(found), found, page=page, as_json=as_json)
    raise typer.Exit(int(bool(found["differences"])))


@commands.command("cancel")
def prove_cancel(
    requests: Annotated[int, typer.Option(min=2)] = 100,
    upstream: Annotated[str | None, typer.Option(help="A vLLM that runs; else the deterministic model.")] = None,
    within_s: Annotated[float, typer.Option(help="Clients of a vLLM leave within so many seconds.")] = 4.0,
    page: Page = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Clients leave and deadlines pass at random moments: what still runs upstream a second later."""
    if upstream is not None:
        watched = asyncio.run(cancel.against(upstream, count=requests, within_s=within_s))
        _tell(sections.cancel_vllm(watched), watched, page=page, as_json=as_json)
        # Where nothing was seen to run, nothing was seen to end.
        raise typer.Exit(int(not watched.most or bool(watched.after[max(watched.after)])))
    left, late, stall_s = asyncio.run(_cancelled(requests))
    figures = {"clients_left": cancel.tally(left), "deadlines": cancel.tally(late), "stall_s": stall_s}
    _tell(sections.cancel(left, late, stall_s=stall_s), figures, page=page, as_json=as_json)
    raise typer.Exit(int(any(one.running for one in (*left, *late))))


@commands.command("chaos")
def prove_chaos(page: Page = None, *, as_json: AsJson = False) -> None:
    """An upstream that hangs, drops, lies and refuses: what a client sees of each."""
    with _progress("troubles", len(troubles())) as step:
        rows = asyncio.run(chaos.measure(progress=step))
    faults = {row.trouble.name: chaos.faults_of(row) for row in rows if chaos.faults_of(row)}
    _tell(sections.chaos(rows), {"rows": len(rows), "faults": faults}, page=page, as_json=as_json)
    raise typer.Exit(int(bool(faults)))


@commands.command("flood")
def prove_flood(
    requests: Annotated[int, typer.Option(min=10)] = 2000, page: Page = None, *, as_json: AsJson = False
) -> None:
    """Many requests at four places, and signals in the middle of work: memory, statuses, who is answered."""
    with _progress("requests", 2 * requests) as step:
        found = asyncio.run(flood.flood(count=requests, progress=step))
    ends = [asyncio.run(flood.endings(signals=signals)) for signals in (1, 2)]
    _tell(sections.flood(found, ends), {"flood": found, "endings": ends}, page=page, as_json=as_json)
    raise typer.Exit(int(bool(found.dropped or found.without_retry_after or set(found.statuses) - {200, 429, 503})))


@commands.command("schema")
def prove_schema(
    cases: Annotated[int, typer.Option(min=1)] = 20_000,
    phases: Annotated[str, typer.Option(help="schemathesis's own phases.")] = "coverage,fuzzing",
    page: Page = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Run schemathesis over our OpenAPI: no 5xx, and no reply that the description does not know."""
    if not schema.COMMAND.exists():
        raise typer.BadParameter("schemathesis is not installed: make schema-install")
    tried = schema.run(cases=cases, phases=phases)
    _tell(schema.section(tried, cases=cases), tried, page=page, as_json=as_json)
    if not tried.fine:
        typer.echo(tried.told, err=True)
    raise typer.Exit(int(not tried.fine))


@commands.command("robustness")
def write_page(
    parts: Annotated[Path, typer.Option(help="Where the sections lie.")] = Path("build/robustness"),
    report: Annotated[Path, typer.Option(help="Write the page there.")] = Path("docs/robustness.md"),
) -> None:
    """The sections that the other commands wrote with `--page`, as one page."""
    found = [parts / f"{name}.md" for name in sections.ORDER]
    missing = [part.stem for part in found if not part.exists()]
    told = [part.read_text() for part in found if part.exists()]
    last = [f"Not measured yet: {', '.join(missing)} (`make robustness`).\n"] if missing else []
    report.write_text("\n".join([sections.HEAD, *told, *last]))
    typer.echo(f"{report} written")


async def _cancelled(requests: int) -> tuple[list[cancel.Ended], list[cancel.Ended], float]:
    async with stalls() as stalled:
        left = await cancel.clients_leave(count=requests)
        late = await cancel.deadlines_pass(count=requests)
    return left, late, stalled.longest_s


class _progress:  # noqa: N801 - a context that reads as a function
    def __init__(self, name: str, total: int) -> None:
        self._progress = Progress(console=Console(stderr=True))
        self._name, self._total = name, total

    def __enter__(self) -> Callable[[int], None]:
        self._progress.start()
        task = self._progress.add_task(self._name, total=self._total)
        return lambda n: self._progress.advance(task, n)

    def __exit__(self, *_: object) -> None:
        self._progress.stop()


def _tell(text: str, figures: Any, *, page: Path | None, as_json: bool) -> None:
    if page is not None:
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(text)
    typer.echo(
        orjson.dumps(figures, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode() if as_json else text
    )
