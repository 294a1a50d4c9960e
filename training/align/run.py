"""An alignment run from its TOML, read from top to bottom: rows, rollouts, each optimiser in turn, the checkpoint.

    .venv-training/bin/python -m training.align.run training/runs/smoke.toml

A run that was stopped, even killed, goes on where it was when it is started again.
"""

import argparse
import asyncio
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed

from training.align import optimisers, supervised
from training.align.config import AlignConfig, BadRun, Stage, read
from training.align.exported import export
from training.align.folder import DONE, claimed, last_state, note, publish
from training.align.needs import need_for_training
from training.align.ranks import on_main, ranks
from training.align.rollouts import Pair, pairs, roll_out
from training.align.row import Kind, Row
from training.align.rows import FirstOf, Rows, WordingsJudge, load
from training.align.tally import KeptTally
from training.align.writers import Writer, precision, served_writer
from training.export import provenance
from training.healthbench.records import BadRow
from training.journal import Journal, finished
from training.models import Endpoint
from training.reward.judges import ServedJudge
from training.reward.scorer import Judge, Scorer
from training.reward.shaping import Length

_UNJUDGED = (
    "rollouts: {unjudged} of {rows} prompts are left unjudged, since the judge failed, and are not learnt from; to "
    "have them asked again, stop here and start the run again when the judge answers"
)


class NothingToLearn(ValueError):
    """No prompt has answers that the reward tells apart."""


def run(config: AlignConfig, *, judge: Judge | None = None) -> Path:
    """Makes the checkpoint and returns its folder. `judge` is who gives the reward, in place of the TOML's.

    Raises:
        BadRun: the folder belongs to another TOML, or the base or the rows are not there.

    """
    need_for_training(config, judged=judge is not None)
    ranks()  # before TRL's settings, which would start the processes' group with a patience of minutes
    check(config)
    set_seed(config.seed)
    on_main(lambda: claimed(config))
    rows = load(config)
    at = Path(config.base)
    with nullcontext(Scorer(judge)) if judge else scoring(config, rows) as scorer:
        for stage in config.stages:
            made = config.folder / stage.kind / "checkpoint"
            if not (made / DONE).exists():
                optimise(config, stage, at, made, rows, scorer)
            ranks().wait_for_everyone()  # or the others would look for what the main process is still writing
            at = made
    return on_main(lambda: export(config, at)) or at


def check(config: AlignConfig) -> None:
    """Reads every stage's options before the first of them takes hours.

    Raises:
        BadRun: an option is missing or not known, or options do not go together.

    """
    for stage in config.stages:
        if stage.kind == "dialogues":
            supervised.run_config(config, stage, Path(config.base))
        else:
            optimisers.arguments(config, stage)


@contextmanager
def scoring(config: AlignConfig, rows: Rows) -> Iterator[Scorer]:
    """The reward's scorer: by the wordings that the generator knows, and where it knows none by a served model."""
    length = Length(config.reward.allowed_words, config.reward.length_slope)
    rules = WordingsJudge((*rows.train, *rows.held_out))
    if not config.reward.url:
        yield Scorer(rules, length=length)
        return
    endpoint = Endpoint(config.reward.url, config.reward.model, "CLINALIGN_GRADER_KEY", config.reward.concurrency)
    served = ServedJudge(endpoint)
    try:
        yield Scorer(FirstOf(rules, served), length=length, concurrency=config.reward.concurrency)
    finally:
        asyncio.run(served.aclose())


def optimise(config: AlignConfig, stage: Stage, base: Path, made: Path, rows: Rows, scorer: Scorer) -> None:
    """One stage from the weights in `base` to those in `made`."""
    if stage.kind == "dialogues":  # every token is learnt, and no reward given
        on_main(lambda: supervised.learn(config, stage, base, made))
        return
    tally = KeptTally(config.folder, stage.kind, scorer)
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=precision(adapters=config.lora is not None))
    match stage.kind:
        case "sft":
            trainer = optimisers.sft(config, stage, model, tokenizer, paired(config, stage, base, rows, scorer, tally))
        case "dpo":
            trainer = optimisers.dpo(config, stage, model, tokenizer, paired(config, stage, base, rows, scorer, tally))
        case _:
            trainer = optimisers.grpo(config, stage, model, tokenizer, rows.train, scorer)
    trainer.add_callback(tally)
    trainer.train(resume_from_checkpoint=last_state(Path(str(trainer.args.output_dir))))
    publish(trainer, tokenizer, base, made)
    tally.keep()


def paired(config: AlignConfig, stage: Stage, base: Path, rows: Rows, scorer: Scorer, tally: KeptTally) -> list[Pair]:
    """The best and worst of several answers that the stage's base gives to each training prompt.

    Raises:
        NothingToLearn: no prompt has answers that the reward tells apart.

    """
    drafts = [row for row in rows.train if row.kind is Kind.DRAFT]
    path = config.folder / f"rollouts-{provenance.weights(base)[:12]}.jsonl"
    on_main(lambda: rolled_out(config, base, drafts, path, scorer, tally))
    kept = finished(path)
    found = pairs(drafts, kept)
    if not found:
        unjudged = sum(row.id not in kept for row in drafts)
        raise NothingToLearn(
            f"no prompt of {len(drafts)}, {unjudged} of them unjudged, has two answers that the reward tells apart: "
            "more samples, or a higher temperature; or a judge that answers, and the run started again"
        )
    on_main(lambda: note(config.folder, {f"pairs_{stage.kind}": len(found)}))
    return found


def rolled_out(
    config: AlignConfig, base: Path, drafts: Sequence[Row], path: Path, scorer: Scorer, tally: KeptTally
) -> None:
    """Writes the journal of answers and their rewards to its end."""
    settings = config.rollouts
    with Journal(path) as journal, Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("rollouts", total=len(drafts))

        def advance(count: int) -> None:
            progress.advance(task, count)
            tally.keep()

        unjudged = roll_out(
            drafts,
            served_writer(settings) if settings.url else Writer(config, base),
            scorer,
            journal,
            seed=config.seed,
            batch=settings.batch,
            form_weight=config.reward.form_weight,
            progress=advance,
        )
    tally.keep()
    note(config.folder, {"rollouts_unjudged": unjudged})
    if unjudged:
        print(_UNJUDGED.format(unjudged=unjudged, rows=len(drafts)), file=sys.stderr, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="An alignment run from its TOML.")
    parser.add_argument("toml", type=Path)
    parser.add_argument("--reward-url", help="The judge's server, in place of the TOML's.")
    parser.add_argument("--check", action="store_true", help="Only say whether the stages' options can be read.")
    given = parser.parse_args()
    try:
        told = read(given.toml)
    except BadRun as error:
        raise SystemExit(str(error)) from error
    if given.reward_url:
        told = replace(told, reward=replace(told.reward, url=given.reward_url))
    try:
        if given.check:
            check(told)
        else:
            made_at = run(told)
            if ranks().is_main_process:
                print(made_at)
    except (BadRun, BadRow, NothingToLearn) as error:
        raise SystemExit(f"{given.toml}: {error}") from error
