"""An alignment run from its TOML, read from top to bottom: rows, rollouts, each optimiser in turn, the checkpoint.

    .venv-training/bin/python -m training.align.run training/runs/smoke.toml

A run that was stopped, even killed, goes on where it was when it is started again.
"""

import asyncio
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from rich.console import Console
from rich.progress import Progress
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Trainer,
    set_seed,
)

from training.align import optimisers
from training.align.config import AlignConfig, BadRun, Rollouts, Stage, read
from training.align.rollouts import Pair, Writes, pairs, roll_out
from training.align.row import Row
from training.align.rows import Rows, WordingsJudge, load
from training.journal import Journal
from training.models import Endpoint, Model
from training.reward.judges import ModelJudge
from training.reward.scorer import Scorer
from training.reward.shaping import Length

DONE = "done.json"


def run(config: AlignConfig) -> Path:
    """Makes the checkpoint and returns its folder.

    Raises:
        BadRun: the folder belongs to another TOML.

    """
    set_seed(config.seed)
    folder = claimed(config)
    rows = load(config)
    with scorer_of(config, rows) as scorer:
        at = Path(config.base)
        for stage in config.stages:
            made = folder / stage.kind / "checkpoint"
            if not (made / DONE).exists():
                optimise(config, stage, at, made, rows, scorer)
            at = made
        note(folder, {"reward": scorer.tally.as_dict()})
    return at


def claimed(config: AlignConfig) -> Path:
    """The run's folder, with what it is made from: the TOML, the seed, the revision, digests of the data."""
    folder = config.folder
    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / "run.json"
    if manifest.exists() and json.loads(manifest.read_text())["toml_sha256"] != config.digest:
        raise BadRun(f"{folder} holds a run of another TOML: give this one another name, or remove the folder")
    (folder / "run.toml").write_text(config.text)
    data = (
        {config.data.rows: _sha256(Path(config.data.rows))}
        if config.data.rows
        else {"dialogues": config.data.dialogues}
    )
    facts = {"toml_sha256": config.digest, "seed": config.seed, "git_revision": _revision(), "data": data}
    manifest.write_text(json.dumps({**facts, "base": _weights(Path(config.base))}, indent=2) + "\n")
    return folder


@contextmanager
def scorer_of(config: AlignConfig, rows: Rows) -> Iterator[Scorer]:
    """The reward's scorer: by a served model, or by the wordings that the generator knows."""
    length = Length(config.reward.allowed_words, config.reward.length_slope)
    if not config.reward.url:
        yield Scorer(WordingsJudge((*rows.train, *rows.held_out)), length=length)
        return
    endpoint = Endpoint(config.reward.url, config.reward.model, "CLINALIGN_GRADER_KEY", config.reward.concurrency)
    yield Scorer(LazyJudge(endpoint), length=length, concurrency=config.reward.concurrency)


class LazyJudge:
    """A model judge whose connections belong to the event loop that first asks: TRL has one of its own."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.name = endpoint.model
        self._endpoint = endpoint
        self._judges: dict[int, ModelJudge] = {}

    async def does(self, prompt: Sequence[Any], answer: str, criterion: str) -> bool | None:
        """As the model judge does."""
        loop = id(asyncio.get_running_loop())
        if loop not in self._judges:
            model = await Model.at(self._endpoint).__aenter__()
            self._judges[loop] = ModelJudge(model)
        return await self._judges[loop].does(prompt, answer, criterion)


def optimise(config: AlignConfig, stage: Stage, base: Path, made: Path, rows: Rows, scorer: Scorer) -> None:
    """One stage from the weights in `base` to those in `made`."""
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32 if _on_cpu() else torch.bfloat16)
    match stage.kind:
        case "sft":
            trainer = optimisers.sft(config, stage, model, tokenizer, rolled_out(config, base, rows, scorer))
        case "dpo":
            trainer = optimisers.dpo(config, stage, model, tokenizer, rolled_out(config, base, rows, scorer))
        case _:
            trainer = optimisers.grpo(config, stage, model, tokenizer, rows.train, scorer)
    trainer.train(resume_from_checkpoint=last_state(Path(str(trainer.args.output_dir))))
    publish(trainer, tokenizer, base, made)


def rolled_out(config: AlignConfig, base: Path, rows: Rows, scorer: Scorer) -> list[Pair]:
    """The best and worst of several answers that the stage's base gives to each training prompt."""
    settings = config.rollouts
    path = config.folder / f"rollouts-{_weights(base)[:12]}.jsonl"
    with (
        PartialState().main_process_first(),
        Journal(path) as journal,
        Progress(console=Console(stderr=True)) as progress,
    ):
        task = progress.add_task("rollouts", total=len(rows.train))
        roll_out(
            rows.train,
            served_writer(settings) if settings.url else Writer(config, base),
            scorer,
            journal,
            seed=config.seed,
            batch=settings.batch,
            form_weight=config.reward.form_weight,
            progress=lambda count: progress.advance(task, count),
        )
        found = pairs(rows.train, journal)
    if not found:
        raise BadRun("no prompt has two answers that the reward tells apart: more samples, or a higher temperature")
    note(config.folder, {f"pairs-{base.name}": len(found)})
    return found


class Writer:
    """Writes answers with the weights of a folder, by transformers; the folder is read when the first is asked for."""

    def __init__(self, config: AlignConfig, base: Path) -> None:
        self._config, self._base = config, base
        self._loaded: tuple[PreTrainedModel, PreTrainedTokenizerBase] | None = None

    def __call__(self, rows: Sequence[Row], *, seed: int) -> list[list[str]]:
        """`samples` answers to each row."""
        if self._loaded is None:
            model = AutoModelForCausalLM.from_pretrained(
                self._base, dtype=torch.float32 if _on_cpu() else torch.bfloat16
            )
            self._loaded = model.eval(), AutoTokenizer.from_pretrained(self._base, padding_side="left")
        model, tokenizer = self._loaded
        settings = self._config.rollouts
        prompts = [tokenizer.apply_chat_template(r.turns, tokenize=False, add_generation_prompt=True) for r in rows]
        ids = tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False).to(model.device)
        ids.pop("token_type_ids", None)
        torch.manual_seed(seed)
        with torch.no_grad():
            said = model.generate(
                **ids,
                do_sample=True,
                temperature=settings.temperature,
                top_k=0,
                top_p=1.0,
                max_new_tokens=settings.max_tokens,
                num_return_sequences=settings.samples,
            )
        texts = tokenizer.batch_decode(said[:, ids["input_ids"].shape[1] :], skip_special_tokens=True)
        return [texts[at : at + settings.samples] for at in range(0, len(texts), settings.samples)]


def served_writer(settings: Rollouts) -> Writes:
    """Writes answers by a server of the base's weights, such as vLLM; one call an answer, each with its own seed."""
    endpoint = Endpoint(settings.url, settings.model, "CLINALIGN_MODEL_KEY", settings.batch)

    async def answered(rows: Sequence[Row], seed: int) -> list[list[str]]:
        async with Model.at(endpoint) as model:

            async def one(row: Row, number: int) -> str:
                reply = await model.ask(
                    row.prompt, temperature=settings.temperature, seed=seed + number, max_tokens=settings.max_tokens
                )
                return reply.text

            calls = [asyncio.gather(*(one(row, number) for number in range(settings.samples))) for row in rows]
            return [list(texts) for texts in await asyncio.gather(*calls)]

    def write(rows: Sequence[Row], *, seed: int) -> list[list[str]]:
        return asyncio.run(answered(rows, seed))

    return write


def last_state(folder: Path) -> str | None:
    """The newest whole state of a stage; one that a kill cut short is removed."""
    states = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]), reverse=True)
    for state in states:
        if (state / "trainer_state.json").exists() and (state / "optimizer.pt").exists():
            return str(state)
        shutil.rmtree(state)
    return None


def publish(trainer: Trainer, tokenizer: PreTrainedTokenizerBase, base: Path, made: Path) -> None:
    """Weights as safetensors and nothing pickled; generation with its cache on; whole or not at all."""
    partial = made.with_name("checkpoint.partial")
    shutil.rmtree(partial, ignore_errors=True)
    model = trainer.accelerator.unwrap_model(trainer.model)
    if hasattr(model, "merge_and_unload"):
        model = model.merge_and_unload()
    model.config.use_cache = True
    model.to(torch.bfloat16).save_pretrained(partial)
    tokenizer.save_pretrained(partial)
    for name in ("chat_template.jinja", "generation_config.json"):
        if (base / name).exists():
            shutil.copy(base / name, partial / name)
    (partial / "training_args.bin").unlink(missing_ok=True)
    log = [row for row in trainer.state.log_history if "loss" in row or "reward" in row]
    (partial / "metrics.json").write_text(json.dumps(log, indent=1) + "\n")
    (partial / DONE).write_text(json.dumps({"steps": trainer.state.global_step}) + "\n")
    partial.replace(made)


def note(folder: Path, figures: dict[str, Any]) -> None:
    """Adds figures to the run's `figures.json`."""
    path = folder / "figures.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**known, **figures}, indent=2) + "\n")


def _weights(folder: Path) -> str:
    """A digest of a checkpoint's weights."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        digest.update(_sha256(path).encode())
    return digest.hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _revision() -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)  # noqa: S607 - git, from the path
    return done.stdout.strip()


def _on_cpu() -> bool:
    return not torch.cuda.is_available()


if __name__ == "__main__":
    print(run(read(Path(sys.argv[1]))))
