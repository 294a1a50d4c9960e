"""`clinalign train ...`: train, export, evaluate. Torch is imported only by the commands that need it."""

import importlib.util
import json
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import Progress

commands = typer.Typer(no_args_is_help=True, help="Make the small checkpoint: train, export, evaluate.")

_RUN = Path("training/runs/demo-sft.toml")
_CHECKPOINT = Path("training/checkpoints/clinalign-demo")
_JUDGE = Path("training/checkpoints/clinalign-judge")
_SHELF = Path("build/checkpoints")
RunFile = Annotated[Path, typer.Argument(help="The run's TOML.", exists=True, dir_okay=False)]
Checkpoint = Annotated[Path, typer.Argument(help="A checkpoint's folder.", exists=True, file_okay=False)]
Shelf = Annotated[Path, typer.Option("--into", help="Folder of the published checkpoints.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write JSON to stdout, and nothing else.")]


@commands.command()
def sft(run: RunFile = _RUN, as_json: AsJson = False) -> None:
    """Train, from the last state where there is one; a line of losses now and then."""
    _need_torch("sft")
    from training.supervised import config as run_config  # noqa: PLC0415 - torch
    from training.supervised import run as supervised  # noqa: PLC0415 - torch

    config = run_config.read(run)
    supervised.run(config, progress=not as_json)
    _say({"run": config.name, "steps": config.steps, "folder": str(config.folder)}, as_json=as_json)


@commands.command()
def export(
    run: RunFile = _RUN,
    out: Annotated[Path, typer.Option(help="Folder of the checkpoint.")] = _CHECKPOINT,
    as_json: AsJson = False,
) -> None:
    """Write a run's last state as a checkpoint for transformers, vLLM and llama.cpp."""
    _need_torch("export")
    from training.export.weights import export as write  # noqa: PLC0415 - torch
    from training.supervised import config as run_config  # noqa: PLC0415 - torch

    manifest = write(run_config.read(run), out)
    _say({"checkpoint": str(out), "parameters": manifest["parameters"], "steps": manifest["steps"]}, as_json=as_json)


@commands.command()
def evaluate(
    checkpoint: Checkpoint = _CHECKPOINT,
    dialogues: Annotated[int, typer.Option(min=1, help="Held-out dialogues of each kind.")] = 200,
    seed: Annotated[int, typer.Option(help="Which dialogues.")] = 7,
    questions: Annotated[
        Path | None, typer.Option(help="JSONL of real questions to ask too.", exists=True, dir_okay=False)
    ] = None,
    write: Annotated[bool, typer.Option(help="Write the figures, the model card and the manifest anew.")] = False,
    as_json: AsJson = False,
) -> None:
    """Measure a checkpoint on held-out dialogues, served by llama.cpp."""
    from training import evaluate_checkpoint, gguf, publishing  # noqa: PLC0415 - llama.cpp

    try:
        gguf.need(checkpoint, sealed=write)
    except gguf.CheckpointRefused as error:
        _refuse(error)
    figures = evaluate_checkpoint.evaluate(checkpoint, dialogues=dialogues, seed=seed, questions=questions)
    if write:
        try:
            publishing.describe(checkpoint, figures)
        except ValueError as error:
            _refuse(error)
    _say(figures, as_json=as_json)


@commands.command()
def agree(
    checkpoint: Checkpoint = _CHECKPOINT,
    dialogues: Annotated[int, typer.Option(min=1, help="Held-out dialogues to ask about.")] = 50,
    dtype: Annotated[list[str] | None, typer.Option(help="vLLM's precision; several for a start each.")] = None,
    folder: Annotated[Path, typer.Option(help="What was said is kept there; run again to go on.")] = Path(
        "build/agreement"
    ),
    page: Annotated[Path | None, typer.Option(help="Write docs/agreement.md, or another page, there.")] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Whether vLLM and llama.cpp, each started here, say on a checkpoint what transformers says; exits 1 if not."""
    from training.agreement import command  # noqa: PLC0415 - llama.cpp
    from training.agreement.page import page as written  # noqa: PLC0415 - beside it
    from training.export import manifest  # noqa: PLC0415 - beside it

    try:
        figures = command.agree(checkpoint, dialogues=dialogues, dtypes=dtype or ["float32", "bfloat16"], folder=folder)
    except (command.NoReference, command.NotServed) as error:
        Console(stderr=True, soft_wrap=True).print(f"clinalign: {error}", markup=False)
        raise typer.Exit(2) from error
    if page is not None:
        told = written(figures, checkpoint=checkpoint.name, digest=manifest.digest(checkpoint))
        page.write_text(told, encoding="utf-8")
    _say(figures, as_json=as_json)
    raise typer.Exit(0 if figures["agree"] else 1)


@commands.command()
def gate(
    candidate: Annotated[Path, typer.Option(help="The new checkpoint's folder.", exists=True, file_okay=False)],
    incumbent: Annotated[
        Path, typer.Option(help="The one whose place it would take.", exists=True, file_okay=False)
    ] = _SHELF / "current",
    judge: Annotated[
        Path, typer.Option(help="Folder of a judge that gave no reward: the small one, or a checkpoint.", exists=True)
    ] = _JUDGE,
    out: Annotated[Path, typer.Option(help="Where gate.json and gate.html are written.")] = Path("build/gate"),
    dialogues: Annotated[int, typer.Option(min=2, help="Held-out dialogues of each group.")] = 60,
    seed: Annotated[int, typer.Option(help="Which dialogues.")] = 11,
    as_json: AsJson = False,
) -> None:
    """Whether a checkpoint is better than the incumbent and loses nothing; exits 1 where it may not be published."""
    from training.gate import comparison  # noqa: PLC0415 - llama.cpp

    try:
        with Progress(console=Console(stderr=True)) as bar:
            task = bar.add_task("dialogues", total=comparison.dialogues(dialogues))
            report = comparison.compare(
                candidate, incumbent.resolve(), judge, count=dialogues, seed=seed, progress=lambda: bar.advance(task)
            )
    except ValueError as error:
        _refuse(error)
    comparison.write(report, out)
    _say(report.decision.as_dict(), as_json=as_json)
    raise typer.Exit(0 if report.decision.publish else 1)


@commands.command()
def publish(
    checkpoint: Checkpoint,
    report: Annotated[Path | None, typer.Option("--gate", help="The gate's folder; the first needs none.")] = None,
    shelf: Shelf = _SHELF,
    as_json: AsJson = False,
) -> None:
    """Put a checkpoint that passed the gate among the published ones, under its digest, and make it current."""
    from training import publishing  # noqa: PLC0415 - gguf

    try:
        name = publishing.publish(checkpoint, shelf, report=report)
    except ValueError as error:
        _refuse(error)
    _say({"published": name, "current": str(shelf / publishing.POINTER)}, as_json=as_json)


@commands.command()
def point(
    name: Annotated[str, typer.Argument(help="Of a checkpoint that was published: sha256-...")],
    shelf: Shelf = _SHELF,
    as_json: AsJson = False,
) -> None:
    """Make another published checkpoint current: back to an earlier one, or forward again."""
    from training import publishing  # noqa: PLC0415 - gguf

    try:
        publishing.point(shelf, name)
    except ValueError as error:
        _refuse(error)
    _say({"current": name}, as_json=as_json)


@commands.command()
def align(
    run: Annotated[Path, typer.Argument(help="The run's TOML.", exists=True, dir_okay=False)], as_json: AsJson = False
) -> None:
    """The optimisers of a run alone: SFT, DPO, GRPO as its TOML says, from the last state where there is one."""
    _need_torch("align")
    from training.align import config  # noqa: PLC0415 - torch
    from training.align import run as aligning  # noqa: PLC0415 - torch
    from training.healthbench.records import BadRow  # noqa: PLC0415 - beside it

    try:
        made = aligning.run(config.read(run))
    except (config.BadRun, BadRow, aligning.NothingToLearn) as error:
        _refuse(error)
    _say({"checkpoint": str(made)}, as_json=as_json)


@commands.command("run")
def run_all(
    run: Annotated[Path, typer.Argument(help="The run's TOML.", exists=True, dir_okay=False)], as_json: AsJson = False
) -> None:
    """A whole run: synthesis, optimisers (in .venv-training), export, and the gate; again to go on."""
    from training.align import config, whole  # noqa: PLC0415 - llama.cpp
    from training.synthesis import command  # noqa: PLC0415 - the encoder and FAISS

    try:
        outcome = whole.run(config.read(run), run)
    except (ValueError, whole.StepFailed, *command.REFUSED) as error:
        _refuse(error)
    _say(outcome.as_dict(), as_json=as_json)


@commands.command()
def synthesize(  # noqa: PLR0913, PLR0917 - each is one thing a person chooses on the command line
    queries: Annotated[
        Path, typer.Argument(help="Unlabelled queries: .jsonl, .csv (also .gz) or .parquet.", exists=True)
    ],
    folder: Annotated[Path, typer.Option("--out", help="The run's folder; run again to go on.")] = Path(
        "build/synthesis"
    ),
    field: Annotated[str | None, typer.Option(help="The field with the text; else the usual names.")] = None,
    url: Annotated[str, typer.Option(help="The server of the model that writes.")] = "http://127.0.0.1:8000/v1",
    model: Annotated[str, typer.Option(help="Its name. The key is read from CLINALIGN_MODEL_KEY.")] = "default",
    judge_url: Annotated[str | None, typer.Option(help="The judge's server; the writer's where not given.")] = None,
    judge: Annotated[str | None, typer.Option(help="Its name. The key is read from CLINALIGN_GRADER_KEY.")] = None,
    samples: Annotated[int, typer.Option(min=0, max=32, help="Answers that tell which items tell; 0: none.")] = 4,
    seed: Annotated[int, typer.Option(help="Of rubrics and answers.")] = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first of the queries.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=1024, help="Calls at once, to each server.")] = 32,
    write_requests: Annotated[
        Path | None, typer.Option(help="Ask nobody: write what is to be asked next as an OpenAI batch file.")
    ] = None,
    read_replies: Annotated[Path | None, typer.Option(help="A batch's output file, to go on from.")] = None,
    parquet: Annotated[
        Path | None, typer.Option(help="Write train.parquet and held_out.parquet there, for verl and OpenRLHF.")
    ] = None,
    held_out_one_in: Annotated[int, typer.Option(min=2, help="Of so many rows one is held out of Parquet.")] = 10,
    prompt_price: Annotated[float, typer.Option(min=0, help="Of a million prompt tokens of the writer.")] = 0.0,
    completion_price: Annotated[float, typer.Option(min=0, help="Of a million that it completes.")] = 0.0,
    judge_prompt_price: Annotated[
        float | None, typer.Option(min=0, help="Of the judge's; the writer's where no other judge is named, else 0.")
    ] = None,
    judge_completion_price: Annotated[float | None, typer.Option(min=0, help="As that, for completion tokens.")] = None,
    as_json: AsJson = False,
) -> None:
    """Rubrics for unlabelled queries, from the principles that matter for each: rows for DPO and GRPO."""
    from training.synthesis import command  # noqa: PLC0415 - the encoder and FAISS
    from training.synthesis.queries import NoQueries  # noqa: PLC0415 - beside it
    from training.synthesis.run import Prices  # noqa: PLC0415 - beside it

    writer, reads = (url, model), (judge_url or url, judge or model)
    prices = Prices.given(
        prompt_price, completion_price, judge_prompt_price, judge_completion_price, same_judge=reads == writer
    )
    try:
        with command.opened(folder, writer, reads, samples, seed, concurrency) as run:
            source = command.Source(queries, field, limit)
            failed = command.go_on(run, source, concurrency, replies=read_replies, requests=write_requests)
            told = command.finish(run, source, prices)
            if parquet is not None:
                told |= {"parquet": command.write_parquet(run, parquet, held_out_one_in)}
            _say(told, as_json=as_json)
            if failed:
                raise command.NothingAnswered(f"{told['waiting']} queries wait: {failed}")
    except NoQueries as error:
        _refuse(error, status=2)
    except command.REFUSED as error:
        _refuse(error)


def _refuse(error: Exception, *, status: int = 1) -> NoReturn:
    Console(stderr=True, soft_wrap=True).print(f"clinalign: {error}", markup=False)
    raise typer.Exit(status) from error


# TRL joins torch there for one command alone.
_INSTALLED_BY = {"align": "install-align"}


def _need_torch(command: str) -> None:
    """Training has an environment of its own."""
    if importlib.util.find_spec("torch") is None:
        Console(stderr=True, soft_wrap=True).print(
            f"clinalign train {command} needs torch: run `make {_INSTALLED_BY.get(command, 'install-training')}`, "
            f"then `.venv-training/bin/python -m training.cli {command}`."
        )
        raise typer.Exit(code=2)


def _say(value: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(value))
    else:
        Console().print_json(data=value)


if __name__ == "__main__":
    commands()
