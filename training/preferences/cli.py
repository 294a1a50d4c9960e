"""`clinalign rubrics ...` and `clinalign principles distil|approve`: from preferences to principles, step by step."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from principles_store.encoder import Encoder
from principles_store.errors import StoreError
from principles_store.paths import Places
from principles_store.store import PrinciplesStore
from training.claim import OtherWork
from training.healthbench.records import BadRow
from training.journal import Journal, JournalBroken
from training.models import Endpoint, Model
from training.preferences import approve as approving
from training.preferences import distil as distilling
from training.preferences import pages, review, worked_on
from training.preferences.agreement import agreement
from training.preferences.demands import demands_of, encoding
from training.preferences.drafting import Shortfall, draft_all, items_of
from training.preferences.examples import Example, read
from training.preferences.questions import NoQuestion, keep, questions

commands = typer.Typer(no_args_is_help=True, help="Rubrics behind clinicians' preferences: draft, review, accept.")
Folder = Annotated[Path, typer.Option("--folder", help="Where drafts and accepted rubrics are kept.")]
Author = Annotated[str, typer.Option(help="Who reviewed or approved.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print nothing but JSON.")]
_FOLDER = Path("build/rubrics")
_MODEL_KEY = "CLINALIGN_MODEL_KEY"
_REFUSED = (
    BadRow,
    JournalBroken,
    OtherWork,
    NoQuestion,
    review.BadReview,
    approving.NotApproved,
    worked_on.WorkedOn,
    StoreError,
)


@commands.command("draft")
def draft(
    preferences: Annotated[Path, typer.Argument(help="JSONL: conversation, preferred, other, author, why.")],
    folder: Folder = _FOLDER,
    url: Annotated[str, typer.Option(help="The server of the model that drafts.")] = "http://127.0.0.1:8000/v1",
    model: Annotated[str, typer.Option(help=f"Its name. The key is read from {_MODEL_KEY}.")] = "default",
    concurrency: Annotated[int, typer.Option(min=1, max=512)] = 16,
    out: Annotated[Path, typer.Option(help="The page to review: .yaml, or .csv for a spreadsheet.")] = Path(
        "review.yaml"
    ),
    *,
    as_json: AsJson = False,
) -> None:
    """Draft a rubric for each preference, and write the page that clinicians refine. Exits 1 where some have none."""
    with _refusals(), Journal(folder / "drafts.jsonl") as drafts:
        examples = list(read(preferences))
        worked_on.spare(folder, out)
        shortfall = asyncio.run(_drafted(examples, Endpoint(url, model, _MODEL_KEY, concurrency), drafts))
        drafted = [example for example in examples if example.id in drafts]
        keep(folder, drafted)  # first: a page whose questions nobody knows could never be distilled
        if drafted:
            review.write([(e, items_of(drafts[e.id]["items"])) for e in drafted], out)
            worked_on.note(folder, out)
    waiting = len(examples) - len(drafted)
    _say({"page": str(out) if drafted else None, "drafted": len(drafted), "waiting": waiting}, as_json=as_json)
    if waiting:
        stopped = f"; stopped after {shortfall.silent} in a row without a reply" if shortfall.stopped else ""
        _complain(f"{waiting} of {len(examples)} examples have no draft; the first reason: {shortfall.why}{stopped}")
        raise typer.Exit(1)


@commands.command("accept")
def accept(
    page: Annotated[Path, typer.Argument(help="The reviewed page.")],
    author: Author,
    folder: Folder = _FOLDER,
    *,
    as_json: AsJson = False,
) -> None:
    """Keep a reviewed page's rubrics, with author, time and what was changed."""
    with _refusals(), Journal(folder / "drafts.jsonl") as drafts, Journal(folder / "accepted.jsonl") as accepted:
        _say(review.accept(review.read(page), drafts, accepted, author=author), as_json=as_json)


@commands.command("agreement")
def show_agreement(folder: Folder = _FOLDER, *, as_json: AsJson = False) -> None:
    """How far two readers of the same drafts agree."""
    with _refusals(), Journal(folder / "drafts.jsonl") as drafts, Journal(folder / "accepted.jsonl") as accepted:
        _say(asdict(agreement(accepted.values(), drafts)), as_json=as_json)


def distil(
    folder: Folder = _FOLDER,
    support: Annotated[int, typer.Option(min=2, help="Examples that must stand behind a proposal.")] = 3,
    near: Annotated[
        float, typer.Option(min=0, max=1, help="Cosine from which on two criteria make the same demand.")
    ] = distilling.NEAR,
    out: Annotated[Path, typer.Option(help="The page to approve.")] = Path("proposals.yaml"),
    *,
    as_json: AsJson = False,
) -> None:
    """Propose reusable principles from accepted rubrics, with the rubrics behind each."""
    with _refusals(), Journal(folder / "accepted.jsonl") as accepted:
        worked_on.spare(folder, out)
        asked = questions(folder, accepted.values())
        places = Places.from_environment()
        store = PrinciplesStore.open(places.principles, places.encoder, places.index, precision=places.precision)
        with Progress(console=Console(stderr=True)) as progress:
            demands = demands_of(
                accepted.values(),
                asked,
                lambda question: store.consult(question, limit=1).scenario.labels,
                progress=partial(progress.track, description="scenarios read"),
            )
            encode = encoding(
                store.encoder.encode_one, progress=partial(progress.track, description="criteria encoded")
            )
            proposals = distilling.distil(demands, encode, support=support, near=near)
        pages.write(out, distilling.page(proposals))
        worked_on.note(folder, out)
    _say({"page": str(out), "demands": len(demands), "proposals": len(proposals)}, as_json=as_json)


def approve(
    page: Annotated[Path, typer.Argument(help="The page of proposals, with approve: yes where a person says so.")],
    author: Author,
    out: Annotated[Path, typer.Option(help="Folder of the new edition.")] = Path("principles"),
    *,
    as_json: AsJson = False,
) -> None:
    """Take approved proposals into a new edition of the principles."""
    with _refusals():
        places = Places.from_environment()
        new = approving.approved(page, author=author)
        digest = approving.add(
            new, places.principles, out, encoder=Encoder.load(places.encoder, precision=places.precision)
        )
    _say({"folder": str(out), "added": len(new), "digest": digest}, as_json=as_json)


async def _drafted(examples: Sequence[Example], endpoint: Endpoint, drafts: Journal) -> Shortfall:
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("rubrics drafted", total=len(examples))
        async with Model.at(endpoint) as model:
            return await draft_all(examples, model, drafts, progress=lambda: progress.advance(task))


@contextmanager
def _refusals() -> Iterator[None]:
    """What a person can mend is one line, not a trace."""
    try:
        yield
    except _REFUSED as error:
        _complain(str(error))
        raise typer.Exit(1) from error
    except OSError as error:
        _complain(f"{error.filename}: {error.strerror}")
        raise typer.Exit(1) from error


def _complain(message: str) -> None:
    Console(stderr=True, soft_wrap=True).print(f"clinalign: {message}", style="bold red", markup=False)


def _say(value: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(value))
    else:
        Console().print_json(data=value)
