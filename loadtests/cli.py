"""`clinalign load ...`: measure, and write down what was measured."""

import asyncio
import os
import platform
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.progress import Progress

from loadtests import embedded, examples, latency
from loadtests.report import page
from loadtests.robustness.cli import commands as robustness

commands = typer.Typer(no_args_is_help=True, help="Load and latency, measured against a simulated vLLM.")
commands.add_typer(robustness)  # without a name: its commands stand beside these
Report = Annotated[Path | None, typer.Option(help="Write the page there.")]
_OWN = Path(__file__).parent / "questions.jsonl"
AsJson = Annotated[bool, typer.Option("--json", help="Print nothing but JSON.")]


@commands.command()
def run(
    rounds: Annotated[int, typer.Option(min=1, max=50)] = 5, report: Report = None, *, as_json: AsJson = False
) -> None:
    """Latency of a guarded answer over a plain one, and the figures of the embedded gateway."""
    figures = asyncio.run(_measured(rounds))
    text = page(figures["latency"], figures["embedded"], machine=_machine())
    if report is not None:
        report.write_text(text)
    typer.echo(orjson.dumps(figures, option=orjson.OPT_INDENT_2).decode() if as_json else text)


@commands.command("examples")
def write_examples(
    hidden: Annotated[
        Path | None, typer.Option(help="More questions, named by source and id only: sets that may not be copied.")
    ] = None,
    questions: Annotated[Path, typer.Option(help="JSONL: `id`, `source`, `question` and perhaps `audience`.")] = _OWN,
    url: Annotated[str, typer.Option(help="A running gateway.")] = "http://127.0.0.1:8080",
    report: Annotated[Path, typer.Option(help="Write the page there.")] = Path("docs/examples.md"),
) -> None:
    """Ask a running gateway each question, and print answers, verdicts and revisions as a page."""
    rows = [(row, False) for row in examples.read(questions)]
    rows += [(row, True) for row in examples.read(hidden)] if hidden else []
    report.write_text(asyncio.run(examples.page(rows, url=url)))
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
