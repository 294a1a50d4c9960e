"""What a person can type: serve, chat, principles, evaluate, audit."""

import asyncio
from pathlib import Path
from typing import Annotated

import orjson
import typer

from principles_store.cli import commands as principles
from service.app import run
from service.audit.ledger import entries, verify
from service.cli import evaluations
from service.cli.applying import applies
from service.cli.asking import ask_gateway
from service.cli.calibrating import calibrate_judge
from service.cli.judging import judge
from service.cli.redflags import redflags
from service.cli.retrieving import retrieval
from service.cli.scenarios import scenario
from service.cli.screening import screen
from service.cli.showing import show, show_settings
from service.domain.errors import GatewayError, SettingsError
from service.gateway.parameters import page
from service.settings import describe_settings, read_settings, refuse_strangers

commands = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="ClinAlign Gateway."
)
evaluate = typer.Typer(no_args_is_help=True, help="Measure the parts of the guard on data of your own.")
audit = typer.Typer(no_args_is_help=True, help="Read and check the ledger.")
# They read variables of their own, and a misspelt folder would have them write over another.
commands.add_typer(principles, name="principles", callback=refuse_strangers, help=principles.info.help)
commands.add_typer(screen, name="screen")
commands.add_typer(evaluate, name="evaluate")
evaluate.command()(retrieval)
evaluate.command()(scenario)
evaluate.command()(applies)
commands.add_typer(audit, name="audit")
evaluate.command("acceptance")(evaluations.acceptance)
evaluate.command("attacks")(evaluations.attacks)
evaluate.command("redflags")(redflags)
evaluate.command("judge")(judge)
commands.command("calibrate")(calibrate_judge)


@commands.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; beyond loopback it needs API keys.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.")] = None,
    upstream: Annotated[str | None, typer.Option(help="Base URL of vLLM or any OpenAI-compatible server.")] = None,
    model: Annotated[str | None, typer.Option(help="Model to ask the upstream for.")] = None,
    ask: Annotated[str | None, typer.Option(help="Ask this once, print the guarded answer, keep serving.")] = None,
) -> None:
    """Serve the gateway."""
    settings = read_settings(host=host, port=port, upstream=upstream, model=model)

    async def first_question(address: str) -> None:
        if ask is not None:
            try:
                show(await ask_gateway(address, ask), question=ask)
            except GatewayError as error:  # with API keys set, say: no reason to stop serving
                typer.echo(f"clinalign: {error}", err=True)
            typer.echo(f"\nServing on {address} (the console is at the same address). Ctrl-C ends it.")

    asyncio.run(run(settings, when_ready=first_question))


@commands.command()
def chat(
    question: str,
    url: Annotated[str, typer.Option(help="A running gateway.")] = "http://127.0.0.1:8080",
    key: Annotated[str | None, typer.Option(envvar="CLINALIGN_KEY", help="Its API key.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print nothing but the reply's JSON.")] = False,
) -> None:
    """Ask a running gateway one question."""
    reply = asyncio.run(ask_gateway(url, question, key=key))
    if as_json:
        typer.echo(orjson.dumps(reply, option=orjson.OPT_INDENT_2).decode())
    else:
        show(reply, question=question)


@commands.command("settings")
def list_settings(*, as_json: Annotated[bool, typer.Option("--json", help="Print nothing but JSON.")] = False) -> None:
    """Every setting with its environment variable, its default, and what it is for."""
    described = describe_settings()
    if as_json:
        typer.echo(orjson.dumps(described, option=orjson.OPT_INDENT_2).decode())
    else:
        show_settings(described)


@commands.command()
def parameters() -> None:
    """What becomes of every parameter of OpenAI's routes, as Markdown: docs/parameters.md."""
    typer.echo(page(), nl=False)


@audit.command("verify")
def audit_verify(
    path: Annotated[Path, typer.Argument(help="The ledger's file.")],
) -> None:
    """Whether the ledger's chain is whole; exits 1 and names the first broken line otherwise."""
    if not path.is_file():
        raise SettingsError(f"no ledger at {path}")
    found = verify(path)
    typer.echo(f"{found.entries} entries hold; the last one's hash is {found.head}")
    if found.broken is not None:
        typer.echo(f"line {found.broken.line} (byte {found.broken.offset}): {found.broken.why}")
    raise typer.Exit(0 if found.intact else 1)


@audit.command("export")
def audit_export(
    path: Annotated[Path, typer.Argument(help="The ledger's file.")],
) -> None:
    """Every entry of the ledger as one JSON object a line."""
    if not path.is_file():
        raise SettingsError(f"no ledger at {path}")
    for entry in entries(path):
        typer.echo(orjson.dumps(entry))
