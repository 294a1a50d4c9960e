"""The command line: `clinalign ...`. Other packages join it by entry points: a group of commands of their own under
`clinalign.commands`, a command of `clinalign evaluate` under `clinalign.evaluations`.
"""  # noqa: D205 - one sentence too long for one line

import sys
from contextlib import suppress
from importlib.metadata import entry_points

from rich.console import Console

from service.cli.commands import commands, evaluate
from service.domain.errors import GatewayError


def main() -> None:
    """Run the command line; an error that a person can act on is one line, not a trace."""
    for point in entry_points(group="clinalign.commands"):
        with suppress(ModuleNotFoundError):  # the gateway's image ships without training and load tests
            commands.add_typer(point.load(), name=point.name)
    for point in entry_points(group="clinalign.evaluations"):
        with suppress(ModuleNotFoundError):
            evaluate.command(point.name)(point.load())
    try:
        commands()
    except GatewayError as error:
        Console(stderr=True).print(f"clinalign: {error}", style="bold red", markup=False, highlight=False)
        sys.exit(1)
