"""`clinalign load ...`: measure, and write down what was measured."""

import asyncio
import os
import platform
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import orjson
import typer
from rich.console import Console
from rich.progress import Progress

from loadtests import drawing, embedded, examples, latency
from loadtests.limits import beyond
from loadtests.report import page
from loadtests.robustness.cli import commands as robustness
from principles_store.typed import of_data, typed
from service.domain.errors import SettingsError

commands = typer.Typer(no_args_is_help=True, help="Load and latency, measured against a simulated vLLM.")
commands.add_typer(robustness)  # without a name: its commands stand beside these
Report = Annotated[Path | None, typer.Option(help="Write the page there.")]
_OWN = Path(__file__).parent / "questions.jsonl"
AsJson = Annotated[bool, typer.Option("--json", help="Print nothing but JSON.")]


@commands.command()
def run(
    rounds: Annotated[int, typer.Option(min=1, max=50)] = 5, report: Report = None, *, as_json: AsJson = False
) -> None:
    """Latency of a guarded answer over a plain one, and the figures of the embedded gateway; exits 1 beyond a limit."""
    figures = asyncio.run(_measured(rounds))
    text = page(figures["latency"], figures["embedded"], machine=_machine())
    if report is not None:
        report.write_text(text)
    found = {**figures, "beyond": (broken := beyond(figures))}
    typer.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode() if as_json else text)
    for line in broken:
        typer.echo(f"beyond its limit: {line}", err=True)
    raise typer.Exit(1 if broken else 0)


@commands.command("examples")
def write_examples(
    data: Annotated[
        Path | None, typer.Option(help="Folder of real questions: those of loadtests/drawn.jsonl, hidden likewise.")
    ] = None,
    hidden: Annotated[
        Path | None, typer.Option(help="More questions, named by source and id only: sets that may not be copied.")
    ] = None,
    questions: Annotated[Path, typer.Option(help="JSONL: `id`, `source`, `question` and perhaps `audience`.")] = _OWN,
    url: Annotated[str, typer.Option(help="A running gateway.")] = "http://127.0.0.1:8080",
    report: Annotated[Path, typer.Option(help="Write the page there.")] = Path("docs/examples.md"),
) -> None:
    """Ask a running gateway each question, and print answers, verdicts and revisions as a page."""
    rows = [(row, False) for row in examples.read(questions)]
    try:
        rows += [(row, True) for row in drawing.draw(data)] if data else []
    except drawing.NotDrawn as error:
        raise SettingsError(f"--data: {error}") from error
    rows += [(row, True) for row in examples.read(hidden)] if hidden else []
    command = typed(
        "clinalign load examples",
        ("--data", of_data(data)),
        ("--hidden", of_data(hidden)),
        ("--questions", None if questions == _OWN else questions.name),
    )
    try:
        page = asyncio.run(examples.page(rows, url=url, command=command))
    except aiohttp.ClientConnectionError as error:
        raise SettingsError(f"--url: no gateway answers at {url}: start one beside this, `make run`") from error
    report.write_text(page)
    typer.echo(f"{report} written")


async def _measured(rounds: int) -> dict[str, Any]:
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("simulated vLLM", total=rounds)
        samples = await latency.measure(rounds=rounds, progress=lambda n: progress.advance(task, n))
        own = progress.add_task("everything embedded", total=len(embedded.QUESTIONS))
        figures = await embedded.measure(progress=lambda n: progress.advance(own, n))
    return {"latency": latency.summary(samples), "embedded": figures, "machine": _machine()}


def _machine() -> str:
    return f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, no GPU"
