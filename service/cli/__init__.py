"""The command line: `clinalign ...`. Other packages join it by entry points of the group `clinalign.commands`: `train`
names commands of their own, `evaluate.healthbench` a command among those of `evaluate`.
"""  # noqa: D205 - one sentence too long for one line

import sys
from contextlib import suppress
from importlib.metadata import entry_points

from rich.console import Console

from principles_store.cli import commands as principles
from service.cli.commands import commands, evaluate
from service.domain.errors import GatewayError


def main() -> None:
    """Run the command line; an error that a person can act on is one line, not a trace."""
    shared = {"evaluate": evaluate, "principles": principles}
    asked = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
    for point in entry_points(group="clinalign.commands"):
        if asked not in {None, point.name.partition(".")[0]}:
            continue  # what others bring is imported where it is asked for: `serve` has five seconds to start
        with suppress(ModuleNotFoundError):  # the gateway's image ships without training and load tests
            group, _, name = point.name.rpartition(".")
            if group:
                shared[group].command(name)(point.load())
            else:
                commands.add_typer(point.load(), name=name)
    try:
        commands()
    except GatewayError as error:
        Console(stderr=True).print(f"clinalign: {error}", style="bold red", markup=False, highlight=False)
        sys.exit(1)
