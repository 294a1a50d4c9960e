"""`clinalign evaluate judge`: how far a judge agrees with physicians, on the terminal, as JSON, or as a page."""

import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer
from rich.console import Console
from rich.status import Status
from rich.table import Table

from principles_store.typed import of_data, of_page, typed
from service.domain.errors import SettingsError
from service.judge_evaluation.asking import Predictions
from service.judge_evaluation.command import JudgeKind, Places, evaluate, read_rows, sample, write_predictions
from service.judge_evaluation.page import NO_LABELS, Elsewhere, write_page
from service.judge_evaluation.report import Report
from service.judge_evaluation.rows import Row
from service.pipeline.judge_calibration import UNFITTED, Calibrations
from service.settings import ROOT, read_settings

SMALL_JUDGE = ROOT / "training" / "checkpoints" / "clinalign-judge"
_NAMED: Final = 10
_DATA: Final = (
    "JSONL of K-QA's labels or HealthBench's meta-evaluation; .gz too. Labels may be lacking: such rows are judged and "
    "left out of the figures. A row without an answer (null) is unknown."
)
_PREDICTIONS: Final = (
    "Write the first judge's prediction per row as soon as it has judged, JSONL: index (from 0), present, probability, "
    "unknown. What is unknown is never met: false with probability 0. The probability is null only where a judge "
    "gives none with its verdicts."
)


def judge(  # noqa: PLR0913, PLR0917 - a command has as many parameters as options
    data: Annotated[Path, typer.Option(help=_DATA)],
    judge: Annotated[list[JudgeKind], typer.Option(help="Who judges; name several to compare.")] = [JudgeKind.SMALL],  # noqa: B006 - Typer copies it
    small: Annotated[Path, typer.Option(help="Folder of the small judge.")] = SMALL_JUDGE,
    upstream: Annotated[str | None, typer.Option(help="Base URL of a model that judges, ending in /v1.")] = None,
    model: Annotated[str | None, typer.Option(help="Model to ask the upstream for.")] = None,
    key: Annotated[str, typer.Option(envvar="CLINALIGN_UPSTREAM_KEY", help="The upstream's API key.")] = "",
    calibration: Annotated[Path | None, typer.Option(help="Model judges' thresholds, as `calibrate` wrote.")] = None,
    most: Annotated[int | None, typer.Option(min=1, help="Ask model judges about so many rows only.")] = None,
    predictions: Annotated[Path | None, typer.Option(help=_PREDICTIONS)] = None,
    page: Annotated[Path | None, typer.Option(help="Write the section of the evaluation page, with its plot.")] = None,
    also: Annotated[list[Path], typer.Option(help="More labelled rows, for a line each of the page.")] = [],  # noqa: B006 - as above
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print nothing but JSON.")] = False,
) -> None:
    """Macro-F1 against each physician's label, kappa, calibration, intervals by question, time per criterion."""
    settings = read_settings()
    fitted = Calibrations.read(calibration) if calibration is not None else UNFITTED
    places = Places(small, settings.encoder_dir, settings.gguf, upstream, model, key, fitted)
    rows = read_rows(data)
    _tell_unanswered(rows)
    err = Console(stderr=True, quiet=as_json or not sys.stderr.isatty())
    reports: list[Report] = []
    with err.status("judging") as status:
        for at, kind in enumerate(dict.fromkeys(judge)):
            mine = rows if kind is JudgeKind.SMALL else sample(rows, most)
            keep = partial(_keep, None if at else predictions, mine)
            say = partial(_say, status)
            reports.append(evaluate(kind, mine, _of(kind, judge, places), progress=say, keep=keep)[0])
    if page is not None:
        others = [(path.name, evaluate(judge[0], read_rows(path), places, progress=_quiet)[0]) for path in also]
        command = _command(data, judge, also, page, most=most)
        _page(page, reports, data, [Elsewhere(name, report) for name, report in others], command=command)
    if as_json:
        whole = reports[0].as_dict() | ({"others": [r.as_dict() for r in reports[1:]]} if reports[1:] else {})
        typer.echo(orjson.dumps(whole, option=orjson.OPT_INDENT_2).decode())
    else:
        _show(reports)


def _of(kind: JudgeKind, judges: Sequence[JudgeKind], places: Places) -> Places:
    """Beside a judge of its own at the upstream, the served model is the embedded one."""
    apart = kind is JudgeKind.SELF and JudgeKind.UPSTREAM in judges
    return replace(places, upstream=None) if apart else places


def _keep(path: Path | None, rows: Sequence[Row], found: Predictions) -> None:
    if path is not None:
        write_predictions(path, rows, found)


def _tell_unanswered(rows: Sequence[Row]) -> None:
    lacking = [row.index for row in rows if not row.answered]
    if lacking:
        named = ", ".join(str(index) for index in lacking[:_NAMED]) + (", ..." if len(lacking) > _NAMED else "")
        typer.echo(f"Rows without an answer: {len(lacking)} (from 0: {named}); unknown, so not met", err=True)


def _say(status: Status, judged: int, of: int) -> None:
    status.update(f"judged {judged} of {of}")


def _quiet(_: int, __: int) -> None:
    """Few rows need no progress."""


def _command(data: Path, judges: list[JudgeKind], also: list[Path], page: Path, *, most: int | None) -> str:
    """An upstream's address and model stay out: they may be nobody's business."""
    return typed(
        "clinalign evaluate judge",
        ("--data", of_data(data)),
        *(("--judge", kind.value) for kind in dict.fromkeys(judges) if judges != [JudgeKind.SMALL]),
        *(("--also", of_data(path)) for path in also),
        ("--most", most),
        ("--page", of_page(page)),
    )


def _page(page: Path, reports: list[Report], data: Path, also: list[Elsewhere], *, command: str) -> None:
    try:
        write_page(page, reports, command=command, data=data.name, also=also)
    except OSError as error:
        raise SettingsError(f"{page}: cannot be written ({type(error).__name__})") from error


def _show(reports: list[Report]) -> None:
    table = Table("Judge", "Rows", "Macro-F1", "95 %", "Accuracy", "Kappa", "ECE", "Unknown", "ms")
    table.columns[0].overflow = "fold"  # a name is read whole, on as many lines as it takes
    for r in reports:
        f1 = r.macro_f1
        measured = ("", "") if f1 is None else (f"{f1.value:.3f}", f"{f1.low:.3f} to {f1.high:.3f}")
        others = ("" if each is None else f"{each:.3f}" for each in (r.accuracy, r.kappa, r.ece))
        table.add_row(r.judge, str(r.labelled), *measured, *others, str(r.unknown), f"{r.milliseconds:.1f}")
    for name, value in reports[0].baselines.items():
        table.add_row(name, "", f"{value.value:.3f}", f"{value.low:.3f} to {value.high:.3f}", "", "", "", "", "")
    for name, value in reports[0].above.items():
        table.add_row(f"above {name}", "", f"{value.value:+.3f}", f"{value.low:+.3f} to {value.high:+.3f}", *[""] * 5)
    if (people := reports[0].physicians) is not None:
        table.add_row("physicians", "", f"{people.value:.3f}", f"{people.low:.3f} to {people.high:.3f}", *[""] * 5)
    Console().print(table)
    for r in reports:
        if not r.labelled:
            Console().print(f"{r.judge}: {NO_LABELS}; {r.rows} rows were judged, none was measured", soft_wrap=True)
