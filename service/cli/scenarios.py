"""`clinalign evaluate scenario`: our own queries and texts, and a folder of real questions in; tables or a page out."""

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from principles_store import tables
from principles_store.building import Told, assemble, encode, principle_vectors
from principles_store.cli import AsJson, EncoderDir, PrinciplesDir, QueriesDir, print_out, refusals
from principles_store.encoder import Encoder
from principles_store.loading import load_principles, load_queries
from principles_store.pages import scenario_page
from principles_store.paths import Places
from principles_store.scenario_evaluation import evaluate_scenario
from principles_store.store import Snapshot
from principles_store.topic import load_topics, of_queries
from principles_store.typed import of_data, of_page, typed
from service.cli.evaluations import Page
from service.cli.screening import served_screen
from service.domain.errors import SettingsError
from service.pipeline.evaluation import outside_page
from service.pipeline.evaluation.outside import Materials, OutsideReport, measure_outside
from service.pipeline.screen import Screen


def scenario(
    data: Annotated[Path | None, typer.Option(help="Folder of real questions, for the checks from outside.")] = None,
    principles: PrinciplesDir = None,
    queries: QueriesDir = None,
    encoder: EncoderDir = None,
    page: Page = None,
    as_json: AsJson = False,  # noqa: FBT002 - an option
) -> None:
    """How well urgency, uncertainty, expertise and task type are read, and what is outside health, with intervals."""
    with refusals():
        places = Places.from_environment()
        found = load_principles(principles or places.principles)
        asked = load_queries(queries or places.queries)
        reader = Encoder.load(encoder or places.encoder, precision=places.precision)
        vectors = principle_vectors(found, reader), encode([query.text for query in asked], reader)
        report = evaluate_scenario(found, vectors[0], asked, vectors[1], encoder=reader, folder=data)
        learned = Told.of((*load_topics(), *of_queries(asked)), reader)
        whole = Snapshot(found, assemble(found, vectors[0], asked, vectors[1], learned))
        outside = asyncio.run(measure_outside(Materials(whole, learned, reader), data, screen=_screen(reader)))
        if page:
            scenario_page(report, page, command=_command(data, page))
            page.write_text(f"{page.read_text(encoding='utf-8')}\n{outside_page.part(outside)}", encoding="utf-8")
    content = {**asdict(report), "outside_health": asdict(outside)}
    print_out(content, as_json, lambda: [*tables.scenario(report), *_lines(outside)])


def _command(data: Path | None, page: Path) -> str:
    return typed("clinalign evaluate scenario", ("--data", of_data(data)), ("--page", of_page(page)))


def _screen(encoder: Encoder) -> Screen:
    """The screen as it is served, or its rules alone where the head was built for another encoder."""
    try:
        return served_screen(encoder)
    except SettingsError as error:
        typer.echo(f"the screen's rules alone: {error}", err=True)
        return Screen()


def _lines(report: OutsideReport) -> list[str]:
    """Counts, one a line."""
    return [
        f"read as outside health, {one.source}, {one.half.value}: {one.outside.hits} of {one.outside.total}"
        for one in report.counted
    ]
