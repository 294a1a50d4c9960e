"""`clinalign calibrate`: a model judge's threshold and temperature, fitted to people's labels, saved by checkpoint."""

import asyncio
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer
from rich.console import Console

from service.domain.deadline import Deadline
from service.domain.errors import SettingsError
from service.judge_evaluation.calibrating import Held, calibrate
from service.judge_evaluation.command import JudgeKind, Places, engine_of, read_rows, sample
from service.judge_evaluation.rows import Row
from service.pipeline.judge_calibration import Calibration, Calibrations
from service.settings import read_settings

_START_S: Final = 60.0


def calibrate_judge(  # noqa: PLR0913 - a command has as many parameters as options
    data: Annotated[Path, typer.Option(help="JSONL of K-QA's labels or HealthBench's meta-evaluation; .gz too.")],
    out: Annotated[Path, typer.Option(help="Where calibrations are kept, one a checkpoint; made where missing.")],
    judge: Annotated[JudgeKind, typer.Option(help="self: the served model; upstream: a model behind a URL.")] = (
        JudgeKind.SELF
    ),
    version: Annotated[str, typer.Option(help="What this fit is called in the file and in provenance.")] = "1",
    upstream: Annotated[str | None, typer.Option(help="Base URL of the model that judges, ending in /v1.")] = None,
    model: Annotated[str | None, typer.Option(help="Model to ask the upstream for.")] = None,
    key: Annotated[str, typer.Option(envvar="CLINALIGN_UPSTREAM_KEY", help="The upstream's API key.")] = "",
    most: Annotated[int | None, typer.Option(min=20, help="Ask about so many rows only, whole answers.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print nothing but JSON.")] = False,
) -> None:
    """Fit a model judge's threshold and temperature to people's labels, for CLINALIGN_JUDGE_CALIBRATION to name."""
    if judge is JudgeKind.SMALL:
        raise SettingsError("--judge small: its calibration is made with it, by `python -m training.judge publish`")
    settings = read_settings()
    places = Places(out, settings.encoder_dir, settings.gguf, upstream, model, key)
    kept = Calibrations.read(out) if out.exists() else Calibrations()
    rows = sample(read_rows(data), most)
    fitted, held = asyncio.run(_fit(judge, places, rows, version, quiet=as_json))
    try:
        out.write_text(kept.with_one(fitted).model_dump_json(indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{out}: cannot be written ({type(error).__name__})") from error
    if as_json:
        whole = {"calibration": fitted.model_dump(), "held_out": asdict(held)}
        typer.echo(orjson.dumps(whole, option=orjson.OPT_INDENT_2).decode())
    else:
        _show(fitted, held, out)


async def _fit(
    kind: JudgeKind, places: Places, rows: tuple[Row, ...], version: str, *, quiet: bool
) -> tuple[Calibration, Held]:
    engine = engine_of(kind, places)
    err = Console(stderr=True, quiet=quiet or not sys.stderr.isatty())
    try:
        await engine.start(Deadline.after(_START_S))
        with err.status("judging") as status:
            return await calibrate(
                engine, rows, version=version, progress=lambda n, of: status.update(f"judged {n} of {of}")
            )
    finally:
        await engine.aclose()


def _show(fitted: Calibration, held: Held, out: Path) -> None:
    typer.echo(
        f"{out}: {fitted.checkpoint}, version {fitted.version}: temperature {fitted.temperature:g}, threshold "
        f"{fitted.threshold:g}, fitted to {fitted.labels} labels of {fitted.questions} questions\n"
        f"Held out by question: macro-F1 {held.after.value:.3f} ({held.after.low:.3f} to {held.after.high:.3f}), "
        f"without it {held.before.value:.3f}; gain {held.gain.value:+.3f} ({held.gain.low:+.3f} to "
        f"{held.gain.high:+.3f}). ECE {held.ece_after:.3f}, without it {held.ece_before:.3f}. "
        f"{held.unreadable} rows could not be read."
    )
    if held.silent:
        typer.echo(
            "Its odds say next to nothing of these rows (the temperature is at its limit): no threshold mends that.",
            err=True,
        )
