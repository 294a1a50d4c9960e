"""Arguments in; tables, a page, or with --json nothing but JSON, out: `clinalign evaluate retrieval`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from principles_store import tables
from principles_store.building import assemble, encode, principle_vectors
from principles_store.cli import AsJson, EncoderDir, PrinciplesDir, QueriesDir, print_out, refusals
from principles_store.encoder import Encoder, Precision
from principles_store.graded import read_judged
from principles_store.loading import load_principles, load_queries
from principles_store.pages import retrieval_page
from principles_store.paths import Places
from principles_store.retrieval_evaluation import evaluate_retrieval
from principles_store.schema import LabelledQuery, Principle
from principles_store.store import Snapshot
from principles_store.typed import of_data, of_page, typed

Page = Annotated[Path | None, typer.Option(help="Write the section of the evaluation page here, plots beside it.")]


def retrieval(
    data: Annotated[Path, typer.Option(help="Folder with the real questions that the labels name.")],
    principles: PrinciplesDir = None,
    queries: QueriesDir = None,
    encoder: EncoderDir = None,
    page: Page = None,
    compare_int8: Annotated[bool, typer.Option(help="Compare fp32 with int8.")] = True,  # noqa: FBT002 - an option
    as_json: AsJson = False,  # noqa: FBT002 - an option
) -> None:
    """How well each way of ranking finds what applies to real questions, with 95 % intervals."""
    with refusals():
        places = Places.from_environment()
        judged = read_judged(data)
        found = load_principles(principles or places.principles)
        asked = load_queries(queries or places.queries)
        folder = encoder or places.encoder
        full = Encoder.load(folder)
        small = Encoder.load(folder, precision=Precision.INT8) if compare_int8 else None
        other = (_store(found, asked, small), small) if small else None
        report = evaluate_retrieval(_store(found, asked, full), full, judged, data, other=other)
        if page:
            retrieval_page(report, page, command=_command(data, page, compare_int8=compare_int8))
    print_out(report, as_json, lambda: tables.retrieval(report))


def _command(data: Path, page: Path, *, compare_int8: bool) -> str:
    plain = None if compare_int8 else ""
    options = ("--data", of_data(data)), ("--page", of_page(page)), ("--no-compare-int8", plain)
    return typed("clinalign evaluate retrieval", *options)


def _store(principles: Sequence[Principle], queries: Sequence[LabelledQuery], encoder: Encoder) -> Snapshot:
    """The store as `principles build` would write it, in memory."""
    asked = encode([query.text for query in queries], encoder)
    return Snapshot(principles, assemble(principles, principle_vectors(principles, encoder), queries, asked))
