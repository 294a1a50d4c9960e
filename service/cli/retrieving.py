"""`clinalign evaluate retrieval`: a folder of real questions in; how each ranking does, and what is served, out."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from principles_store import tables
from principles_store.building import Told, assemble, encode, principle_vectors
from principles_store.cli import AsJson, EncoderDir, PrinciplesDir, QueriesDir, print_out, refusals
from principles_store.encoder import Encoder, Precision
from principles_store.graded import read_judged
from principles_store.loading import load_principles, load_queries
from principles_store.pages import retrieval_page
from principles_store.paths import Places
from principles_store.retrieval_evaluation import Equipped, Serve, evaluate_retrieval
from principles_store.schema import LabelledQuery, Principle
from principles_store.store import PrinciplesStore, Snapshot
from principles_store.topic import load_topics, of_queries
from principles_store.typed import of_data, of_page, typed
from service.cli.evaluations import Page
from service.cli.screening import served_screen
from service.domain.conversation import Message, Role
from service.pipeline.evaluation.serving import Serving
from service.pipeline.principles import StoredPrinciples
from service.pipeline.screen import Screen


def retrieval(
    data: Annotated[Path, typer.Option(help="Folder with the real questions that the labels name.")],
    principles: PrinciplesDir = None,
    queries: QueriesDir = None,
    encoder: EncoderDir = None,
    page: Page = None,
    compare_int8: Annotated[bool, typer.Option(help="Compare fp32 with int8.")] = True,  # noqa: FBT002 - an option
    as_json: AsJson = False,  # noqa: FBT002 - an option
) -> None:
    """How well each way of ranking finds what applies to real questions, and what is served, with 95 % intervals."""
    with refusals(), asyncio.Runner() as runner:
        places = Places.from_environment()
        judged = read_judged(data)
        found, asked = load_principles(principles or places.principles), load_queries(queries or places.queries)
        screen, folder = served_screen(), encoder or places.encoder
        equipped = [
            _equipped(found, asked, Encoder.load(folder, precision=precision), screen, runner)
            for precision in ([Precision.FP32, Precision.INT8] if compare_int8 else [Precision.FP32])
        ]
        report = evaluate_retrieval(equipped[0], judged, data, other=equipped[1] if compare_int8 else None)
        if page:
            retrieval_page(report, page, command=_command(data, page, compare_int8=compare_int8))
    print_out(report, as_json, lambda: tables.retrieval(report))


def serve_with(store: PrinciplesStore, screen: Screen, runner: asyncio.Runner) -> Serve:
    """What the service takes for a conversation, in its order."""
    serving = Serving(StoredPrinciples(store), screen)

    def serve(messages: Sequence[Mapping[str, str]]) -> list[str]:
        said = [Message(Role(message["role"]), message["content"]) for message in messages]
        return [principle.id for principle in runner.run(serving.assess(said)).principles]

    return serve


def _command(data: Path, page: Path, *, compare_int8: bool) -> str:
    plain = None if compare_int8 else ""
    options = ("--data", of_data(data)), ("--page", of_page(page)), ("--no-compare-int8", plain)
    return typed("clinalign evaluate retrieval", *options)


def _equipped(
    principles: Sequence[Principle],
    queries: Sequence[LabelledQuery],
    encoder: Encoder,
    screen: Screen,
    runner: asyncio.Runner,
) -> Equipped:
    """The store as `principles build` would write it, in memory, and what is served from it."""
    asked, topics = encode([query.text for query in queries], encoder), load_topics()
    told = encode([topic.text for topic in topics], encoder)
    learned = Told((*topics, *of_queries(queries)), np.vstack([told, asked]))
    snapshot = Snapshot(
        principles, assemble(principles, principle_vectors(principles, encoder), queries, asked, learned)
    )
    store = PrinciplesStore(snapshot, encoder, principles_dir=Path(), index_dir=Path())
    return Equipped(snapshot, encoder, serve_with(store, screen, runner))
