"""`clinalign evaluate redflags`: labelled files in; tables, JSON, or a page of the evaluation, out."""

from pathlib import Path
from typing import Annotated

import orjson
import typer

from principles_store.typed import of_data, of_page, typed
from service.cli.screening import served_screen
from service.cli.showing import show_rates
from service.domain.errors import SettingsError
from service.pipeline.screen import Screen
from service.pipeline.screen.evaluation import evaluate
from service.pipeline.screen.page import write_page

_EMERGENT = "healthbench_emergency_labelled.jsonl"
_CONVERSATIONS = "healthbench_rubrics.jsonl.gz"
_ROUTINE = ("kqa_questions.jsonl", "medquad_qa.jsonl.gz")


def redflags(
    data: Annotated[
        Path | None, typer.Option(help=f"Folder that holds {', '.join((_EMERGENT, *_ROUTINE, _CONVERSATIONS))}.")
    ] = None,
    emergent: Annotated[Path | None, typer.Option(help="JSONL of labelled emergencies, gzipped or not.")] = None,
    routine: Annotated[list[Path] | None, typer.Option(help="JSONL of routine questions; may be repeated.")] = None,
    conversations: Annotated[
        Path | None, typer.Option(help="JSONL of whole conversations, to time the rules on.")
    ] = None,
    page: Annotated[Path | None, typer.Option(help="Write the page's section here, its plot beside it.")] = None,
    *,
    without_head: Annotated[bool, typer.Option("--without-head", help="The rules alone; needs no encoder.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print nothing but JSON.")] = False,
) -> None:
    """Sensitivity and false alarms of rules, head and both, by fold, with 95 % intervals."""
    labelled = emergent or (data / _EMERGENT if data else None)
    others = routine or ([data / name for name in _ROUTINE] if data else [])
    if labelled is None or not others:
        raise SettingsError("give --data, or --emergent and --routine")
    whole = conversations or (data / _CONVERSATIONS if data else None)
    screen = Screen() if without_head else served_screen()
    report = evaluate(labelled, others, screen=screen, conversations=whole)
    if page is not None:
        write_page(
            report,
            page,
            command=_command(data, emergent, routine or [], conversations, page, without_head=without_head),
        )
    if as_json:
        typer.echo(orjson.dumps(report.as_dict(), option=orjson.OPT_INDENT_2).decode())
    else:
        show_rates((*report.rates, *(rate for rate in report.own if rate.label.startswith("all "))))


def _command(
    data: Path | None,
    emergent: Path | None,
    routine: list[Path],
    conversations: Path | None,
    page: Path,
    *,
    without_head: bool,
) -> str:
    return typed(
        "clinalign evaluate redflags",
        ("--data", of_data(data)),
        ("--emergent", of_data(emergent)),
        *(("--routine", of_data(path)) for path in routine),
        ("--conversations", of_data(conversations)),
        ("--page", of_page(page)),
        ("--without-head", "" if without_head else None),
    )
