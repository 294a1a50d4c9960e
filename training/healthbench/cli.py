"""`clinalign evaluate healthbench`: any model and any grader by URL, or verdicts that were recorded before."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from training.healthbench import records, report, scoring
from training.healthbench.grading import Grader
from training.healthbench.records import Graded
from training.healthbench.run import Settings, as_row, run
from training.journal import JournalBroken
from training.models import Endpoint, Model

_MODEL_KEY, _GRADER_KEY = "CLINALIGN_MODEL_KEY", "CLINALIGN_GRADER_KEY"


def healthbench(  # noqa: PLR0913, PLR0917 - each is one thing a person chooses on the command line
    data: Annotated[Path | None, typer.Option(help="HealthBench's rows, JSONL, gzipped or not.")] = None,
    from_verdicts: Annotated[
        Path | None, typer.Option(help="Recorded verdicts instead: `prompt_id` and `verdicts: [{points, met}]`.")
    ] = None,
    url: Annotated[str, typer.Option(help="The model's server, ending in /v1.")] = "http://127.0.0.1:8080/v1",
    model: Annotated[str, typer.Option(help=f"Its name there. Its key is read from {_MODEL_KEY}.")] = "default",
    grader_url: Annotated[str | None, typer.Option(help="The grader's server; the model's where not given.")] = None,
    grader: Annotated[str, typer.Option(help=f"The grader's name. Its key is read from {_GRADER_KEY}.")] = "default",
    folder: Annotated[Path, typer.Option(help="Answers and verdicts are kept here; run again to go on.")] = Path(
        "build/healthbench"
    ),
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first of the rows.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=512, help="Calls at once, to each server.")] = 16,
    html: Annotated[Path | None, typer.Option(help="Write a report with plots there.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print nothing but JSON.")] = False,
) -> None:
    """HealthBench's exact score, with bootstrap intervals, by theme and axis."""
    if (data is None) is (from_verdicts is None):
        raise typer.BadParameter("give either --data or --from-verdicts")
    if html is not None:
        _need_place(html)
    try:
        if from_verdicts is not None:
            graded, facts = records.read_graded(from_verdicts), {"verdicts": from_verdicts.name}
        else:
            assert data is not None  # noqa: S101 - one of the two was given
            cases = records.read_cases(data)[:limit]
            asked = Endpoint(url, model, _MODEL_KEY, concurrency)
            judged = Endpoint(grader_url or url, grader, _GRADER_KEY, concurrency)
            graded = asyncio.run(_graded(cases, asked, judged, folder))
            (folder / "graded.jsonl").write_text(
                "".join(json.dumps(as_row(g)) + "\n" for g in graded), encoding="utf-8"
            )
            facts = {"rows": data.name, "model": f"{model} at {url}", "grader": f"{grader} at {judged.url}"}
        scores = scoring.score(graded)
    except (records.BadRow, scoring.NothingToScore, JournalBroken) as error:
        Console(stderr=True, soft_wrap=True).print(f"clinalign: {error}", style="bold red", markup=False)
        raise typer.Exit(1) from error
    if html is not None:
        html.write_text(report.page(scores, graded, title="HealthBench", facts=facts), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(scores.as_dict(), indent=2))
    else:
        _show(scores)


def _need_place(html: Path) -> None:
    """Before hours of grading, not after."""
    try:
        html.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise typer.BadParameter(f"--html {html}: its folder cannot be made ({type(error).__name__})") from error
    if html.is_dir():
        raise typer.BadParameter(f"--html {html}: is a folder; give the file to write")


async def _graded(
    cases: tuple[records.Case, ...], asked: Endpoint, judged: Endpoint, folder: Path
) -> tuple[Graded, ...]:
    async with Model.at(asked) as model, Model.at(judged) as grader:
        with Progress(console=Console(stderr=True)) as progress:
            task = progress.add_task("answers graded", total=len(cases))
            graded = await run(
                cases,
                model,
                Grader(grader),
                Settings(folder, in_flight=asked.concurrency),
                progress=lambda: progress.advance(task),
                hopeless=lambda: model.calls.hopeless or grader.calls.hopeless,
            )
    for who, calls in (("model", model.calls), ("grader", grader.calls)):
        if calls.said:
            early = ": nothing was answered, so the rest was not asked" if calls.hopeless else ""
            Console(stderr=True, soft_wrap=True).print(f"{who}{early}: {calls.said}", markup=False)
    return graded


def _show(scores: scoring.Scores) -> None:
    overall = scores.overall
    typer.echo(f"score {overall.score:.4f} ({overall.low:.4f} to {overall.high:.4f}), {overall.answers} answers")
    typer.echo(f"left out: {scores.unjudged} unjudged, {scores.without_positive_points} without positive points")
    for title, found in (("theme", scores.themes), ("axis", scores.axes)):
        for name, score in found.items():
            typer.echo(f"{title:6} {name:32} {score.score:.4f} ({score.low:.4f} to {score.high:.4f}), {score.answers}")
