"""Arguments in; tables, or with --json nothing but JSON, out: `clinalign principles ...`."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.progress import Progress

from principles_store import tables
from principles_store.building import build as build_index
from principles_store.encoder import Encoder, Precision
from principles_store.errors import InvalidPrinciples, StoreError
from principles_store.evaluation import evaluate as evaluate_store
from principles_store.importer import read
from principles_store.loading import digest, load_principles, load_queries
from principles_store.paths import SHIPPED_PRINCIPLES, SHIPPED_QUERIES, Places
from principles_store.schema import Dimension, LabelledQuery, Principle
from principles_store.store import PrinciplesStore
from principles_store.topic import load_topics
from principles_store.validate import SHIPPED_COUNT
from principles_store.validate import validate as validate_principles
from principles_store.writing import write_principles

commands = typer.Typer(name="principles", no_args_is_help=True, help="The clinical principles: read, check and index.")

AsJson = Annotated[bool, typer.Option("--json", help="Write JSON to stdout, and nothing else.")]
PrinciplesDir = Annotated[
    Path | None, typer.Option("--principles", help="Folder of principles (CLINALIGN_PRINCIPLES_DIR).")
]
QueriesDir = Annotated[
    Path | None, typer.Option("--queries", help="Folder of labelled queries (CLINALIGN_QUERIES_DIR).")
]
EncoderDir = Annotated[Path | None, typer.Option("--encoder", help="Exported encoder (CLINALIGN_ENCODER_DIR).")]
IndexDir = Annotated[Path | None, typer.Option("--index", help="Folder of the index (CLINALIGN_INDEX_DIR).")]
Exactness = Annotated[
    Precision | None, typer.Option("--precision", help="Which of the encoder's models (CLINALIGN_ENCODER_PRECISION).")
]


@commands.command("list")
def list_(
    principles: PrinciplesDir = None,
    dimension: Annotated[Dimension | None, typer.Option(help="Only this dimension.")] = None,
    level: Annotated[str | None, typer.Option(help="Only this level.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the principles."""
    with refusals():
        found = load_principles(principles or Places.from_environment().principles)
    chosen = [p for p in found if dimension in {None, p.dimension} and level in {None, p.level}]
    print_out(
        {"digest": digest(found), "count": len(chosen), "principles": [_brief(p) for p in chosen]},
        as_json,
        lambda: tables.principles(chosen),
    )


@commands.command()
def show(principle_id: str, principles: PrinciplesDir = None, as_json: AsJson = False) -> None:
    """Show one principle with its criteria and evidence."""
    with refusals():
        found = {p.id: p for p in load_principles(principles or Places.from_environment().principles)}
        if principle_id not in found:
            raise StoreError(f"no principle {principle_id!r}: `clinalign principles list` shows their ids")
    principle = found[principle_id]
    print_out(principle, as_json, lambda: tables.principle(principle))


@commands.command()
def search(
    query: str,
    limit: Annotated[int, typer.Option(min=1, max=100)] = 10,
    family: Annotated[list[str] | None, typer.Option(help="A red-flag family that was seen; may be repeated.")] = None,
    principles: PrinciplesDir = None,
    encoder: EncoderDir = None,
    index: IndexDir = None,
    precision: Exactness = None,
    as_json: AsJson = False,
) -> None:
    """Find the principles that matter for a question, and read its scenario."""
    with refusals():
        places = Places.from_environment()
        store = PrinciplesStore.open(
            principles or places.principles,
            encoder or places.encoder,
            index or places.index,
            precision=precision or places.precision,
        )
        told = store.consult(query, limit=limit, families=family or ())
    matches = {
        name: [{**_brief(match.principle), "similarity": round(match.similarity, 4)} for match in getattr(told, name)]
        for name in ("nearest", "flagged", "always_on")
    }
    content = {
        "scenario": told.scenario.labels,
        "probabilities": told.scenario.probabilities,
        "health": round(told.topic.health, 4),
        "digest": told.digest,
        **matches,
    }
    print_out(content, as_json, lambda: tables.consultation(told))


@commands.command()
def validate(
    principles: PrinciplesDir = None,
    queries: QueriesDir = None,
    encoder: EncoderDir = None,
    precision: Exactness = None,
    expected: Annotated[
        int | None,
        typer.Option(help=f"How many there must be; any number if not said, of the shipped {SHIPPED_COUNT}."),
    ] = None,
    without_encoder: Annotated[bool, typer.Option(help="Skip near-duplicates, which need the encoder.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check schema, ids, wording, number and near-duplicates; exit 1 where something is to be mended."""
    with refusals(as_json=as_json):
        places = Places.from_environment()
        folder = principles or places.principles
        found = load_principles(folder)
        asked = _queries(folder, queries, places)
        reader = (
            None
            if without_encoder
            else Encoder.load(encoder or places.encoder, precision=precision or places.precision)
        )
        result = validate_principles(found, queries=asked, expected=_count(folder, expected), encoder=reader)
    content = {
        "passed": result.passed,
        "count": result.count,
        "criteria": result.criteria,
        "near_duplicates_checked": result.compared,
        "faults": result.faults,
        "coverage": {f"{dimension}.{level}": n for (dimension, level), n in result.coverage.items()},
    }
    print_out(content, as_json, lambda: tables.validation(result))
    raise typer.Exit(0 if result.passed else 1)


@commands.command("import")
def import_(
    source: Annotated[Path, typer.Argument(help="A JSON file, or YAML of our schema (a file or a folder).")],
    out: Annotated[Path, typer.Option(help="Folder to write <dimension>/<level>.yaml into.")],
    force: Annotated[bool, typer.Option(help="Replace files that are there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Turn the paper's official JSON, or a hospital's own file, into YAML of our schema."""
    with refusals():
        imported = read(source)
        written = write_principles(imported.principles, out, force=force)
    content = {
        "imported": len(imported.principles),
        "mapped": imported.mapped,
        "unread_fields": imported.unread_fields,
        "derived_criteria": imported.derived,
        "left": imported.left,
        "written": [str(path) for path in written],
    }
    print_out(content, as_json, lambda: tables.imported(imported, written))


@commands.command()
def build(
    principles: PrinciplesDir = None,
    queries: QueriesDir = None,
    encoder: EncoderDir = None,
    index: IndexDir = None,
    precision: Exactness = None,
    as_json: AsJson = False,
) -> None:
    """Build the index and the heads of scenario and topic from principles, labelled queries, topics and the encoder."""
    with refusals():
        places = Places.from_environment()
        found = load_principles(principles or places.principles)
        asked = load_queries(queries or places.queries)
        reader = Encoder.load(encoder or places.encoder, precision=precision or places.precision)
        topics = load_topics()
        with _progress("encoding", len(asked) + len(topics) + 2 * len(found)) as advance:
            manifest = build_index(found, asked, reader, index or places.index, topics=topics, progress=advance)
    print_out(manifest, as_json, lambda: tables.manifest(manifest, index or places.index))


@commands.command()
def evaluate(
    principles: PrinciplesDir = None,
    queries: QueriesDir = None,
    encoder: EncoderDir = None,
    compare_int8: Annotated[bool, typer.Option(help="Compare fp32 with int8.")] = True,
    as_json: AsJson = False,
) -> None:
    """Measure recall, nDCG, scenarios, latency and int8 agreement on the labelled queries."""
    with refusals():
        places = Places.from_environment()
        found = load_principles(principles or places.principles)
        asked = load_queries(queries or places.queries)
        folder = encoder or places.encoder
        full = Encoder.load(folder)
        small = Encoder.load(folder, precision=Precision.INT8) if compare_int8 else None
        with _progress("encoding", (len(asked) + 2 * len(found)) * (2 if small else 1)) as advance:
            report = evaluate_store(found, asked, encoder=full, other=small, progress=advance)
    print_out(report, as_json, lambda: tables.report(report))


def _queries(folder: Path, given: Path | None, places: Places) -> tuple[LabelledQuery, ...]:
    """The labelled queries of these principles: the shipped ones belong to the shipped principles alone."""
    queries = given or places.queries
    return () if queries == SHIPPED_QUERIES and folder != SHIPPED_PRINCIPLES else load_queries(queries)


def _count(folder: Path, expected: int | None) -> int | None:
    """How many principles there must be: a hospital's own are as many as they are."""
    if expected is None:
        return SHIPPED_COUNT if folder.resolve() == SHIPPED_PRINCIPLES else None
    return expected or None


def _brief(principle: Principle) -> dict[str, Any]:
    return {
        "id": principle.id,
        "title": principle.title,
        "dimension": principle.dimension,
        "level": principle.level,
        "version": principle.version,
        "criteria": len(principle.criteria),
        "always_on": principle.always_on,
    }


@contextmanager
def refusals(*, as_json: bool = False) -> Iterator[None]:
    """A refusal of the store becomes a message on stderr and exit status 1 (with JSON, also the faults on stdout)."""
    try:
        yield
    except StoreError as error:
        if as_json and isinstance(error, InvalidPrinciples):
            typer.echo(json.dumps({"passed": False, "faults": list(error.problems)}))
        for line in str(error).splitlines():
            typer.echo(f"error: {line}", err=True)
        raise typer.Exit(1) from error


@contextmanager
def _progress(task: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on stderr, where somebody is watching."""
    with Progress(console=Console(stderr=True), transient=True) as bar:
        running = bar.add_task(task, total=total)
        yield lambda done: bar.advance(running, done)


def print_out(content: object, as_json: bool, table: Callable[[], tables.Tables]) -> None:
    """JSON and nothing else, or tables."""
    if as_json:
        typer.echo(json.dumps(_plain(content)))
    else:
        # Square brackets in a principle are words, not markup.
        console = Console(markup=False, highlight=False)
        for part in table():
            console.print(part)


def _plain(value: Any) -> Any:
    """Records, however nested, as what JSON can hold."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(part) for name, part in asdict(value).items()}
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value
