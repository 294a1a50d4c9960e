"""The command line: `clinalign ...`; other packages join it by the entry point `clinalign.commands`."""

import sys
from contextlib import suppress
from importlib.metadata import entry_points

from rich.console import Console

from service.cli.commands import commands
from service.domain.errors import GatewayError


def main() -> None:
    """Run the command line; an error that a person can act on is one line, not a trace."""
    for point in entry_points(group="clinalign.commands"):
        with suppress(ModuleNotFoundError):  # the gateway's image ships without training and load tests
            commands.add_typer(point.load(), name=point.name)
    try:
        commands()
    except GatewayError as error:
        Console(stderr=True).print(f"clinalign: {error}", style="bold red", markup=False, highlight=False)
        sys.exit(1)
