"""The command line: `clinalign ...`; other packages join it by the entry point `clinalign.commands`."""

import asyncio
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from principles_store.cli import commands as principles
from service.app import demonstrate, run
from service.audit.ledger import verify
from service.domain.errors import GatewayError
from service.pipeline.screen import evaluation
from service.settings import read_settings

commands = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="ClinAlign Gateway."
)
evaluate = typer.Typer(no_args_is_help=True, help="Measure the parts of the guard on data of your own.")
audit = typer.Typer(no_args_is_help=True, help="Read and check the ledger.")
commands.add_typer(principles, name="principles")
commands.add_typer(evaluate, name="evaluate")
commands.add_typer(audit, name="audit")
_out = Console()
_err = Console(stderr=True)


@commands.command()
def serve(  # noqa: PLR0913 - each is an option a person types
    host: Annotated[str | None, typer.Option(help="Address to listen on; beyond loopback it needs API keys.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.")] = None,
    upstream: Annotated[str | None, typer.Option(help="Base URL of vLLM or any OpenAI-compatible server.")] = None,
    model: Annotated[str | None, typer.Option(help="Model to ask the upstream for.")] = None,
    ask: Annotated[str | None, typer.Option(help="Ask this once, print the guarded answer, keep serving.")] = None,
) -> None:
    """Serve the gateway."""
    settings = read_settings(host=host, port=port, upstream=upstream, model=model)
    asyncio.run(run(settings, ask=ask))


@commands.command()
def chat(
    question: str,
    url: Annotated[str, typer.Option(help="A running gateway.")] = "http://127.0.0.1:8080",
    key: Annotated[str | None, typer.Option(envvar="CLINALIGN_KEY", help="Its API key.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print nothing but the reply's JSON.")] = False,
) -> None:
    """Ask a running gateway one question."""
    asyncio.run(demonstrate(url, question, key=key, as_json=as_json))


@evaluate.command()
def redflags(
    emergent: Annotated[Path, typer.Option(exists=True, help="JSONL with labels, or of emergencies.")],
    routine: Annotated[Path, typer.Option(exists=True, help="JSONL of routine questions.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print nothing but JSON.")] = False,
) -> None:
    """Sensitivity and false alarms of the red-flag rules."""
    evaluation.command(emergent, routine, as_json=as_json)


@audit.command("verify")
def audit_verify(path: Annotated[Path, typer.Argument(exists=True, help="The ledger's file.")]) -> None:
    """Whether the ledger's chain is whole; exits 1 and names the first broken line otherwise."""
    found = verify(path)
    _out.print(found)
    raise typer.Exit(0 if found.whole else 1)


def main() -> None:
    """Run the command line; an error that a person can act on is one line, not a trace."""
    for point in entry_points(group="clinalign.commands"):
        commands.add_typer(point.load(), name=point.name)
    try:
        commands()
    except GatewayError as error:
        _err.print(f"clinalign: {error}", style="bold red", markup=False, highlight=False)
        sys.exit(1)
