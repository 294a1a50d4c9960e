"""`clinalign screen build`: the examples and the encoder in, the red-flag head's weights out."""

from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from principles_store.encoder import Encoder, Precision
from principles_store.errors import StoreError
from service.domain.errors import SettingsError
from service.pipeline.screen import Screen
from service.pipeline.screen.examples import read_examples
from service.pipeline.screen.fitting import build as build_head
from service.pipeline.screen.fitting import open_head
from service.settings import Settings, read_settings

screen = typer.Typer(no_args_is_help=True, help="The red-flag screen.")


@screen.callback()
def _screen() -> None:
    """Keep `build` a command of its own, though it is the only one."""


@screen.command()
def build(*, as_json: Annotated[bool, typer.Option("--json", help="Print nothing but JSON.")] = False) -> None:
    """Fit the head on the package's examples and write its weights to CLINALIGN_SCREEN_DIR."""
    settings = read_settings()
    encoder = open_encoder(settings)
    examples = read_examples()
    with Progress(console=Console(stderr=True), transient=True) as bar:
        running = bar.add_task("encoding", total=len(examples))
        manifest = build_head(examples, encoder, settings.screen_dir, progress=lambda done: bar.advance(running, done))
    if as_json:
        typer.echo(manifest.model_dump_json())
    else:
        typer.echo(f"{manifest.examples} examples of {len(manifest.families)} families -> {settings.screen_dir}")


def open_encoder(settings: Settings) -> Encoder:
    """The encoder that the settings name.

    Raises:
        SettingsError: it is missing or damaged.

    """
    try:
        return Encoder.load(settings.encoder_dir, precision=Precision(settings.encoder_precision))
    except StoreError as error:
        raise SettingsError(str(error)) from error


def served_screen(encoder: Encoder | None = None) -> Screen:
    """The screen as it is served, head and all: what is measured is never another one.

    Raises:
        SettingsError: the head is missing or damaged, or was built for another encoder.

    """
    settings = read_settings()
    return Screen(region=settings.region, head=open_head(settings.screen_dir, encoder or open_encoder(settings)))
