"""A whole run of one TOML: synthesis, the optimisers in the training environment, export, and the gate's report.

    clinalign train run training/runs/smoke.toml

Where the TOML names no server for synthesis it is a rehearsal: a stand-in writes the rubrics, and the base checkpoint,
served here, answers and judges, in the reward too. Each step goes on where it was stopped.
"""

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import Progress

from training import gguf
from training.align.config import AlignConfig, BadRun, Synthesis
from training.align.needs import need_all, need_options
from training.align.rows import load
from training.dialogues import library
from training.environments import TRAINING
from training.export import provenance
from training.gate import comparison, served
from training.gate.report import Report
from training.gate.rows import Rows
from training.llama import Llama
from training.models import Endpoint, ModelFailed
from training.synthesis import command, rehearsal
from training.synthesis.run import Prices

_CONTEXT: Final = 4096
# Where the keys of candidate and incumbent, and of the judge, are read from.
_MODEL_KEY, _JUDGE_KEY = "CLINALIGN_MODEL_KEY", "CLINALIGN_GRADER_KEY"


class StepFailed(RuntimeError):
    """A step of the run did not come to its end; the message says why, or the step printed it itself."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run made, and what the gate says of it."""

    checkpoint: Path
    rows: int
    publish: bool
    failed: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "checkpoint": str(self.checkpoint),
            "synthesised_rows": self.rows,
            "publish": self.publish,
            "gate_failed": list(self.failed),
        }


def run(config: AlignConfig, toml: Path) -> Outcome:
    """Every step in turn.

    Raises:
        BadRun: something that the TOML names is not there, or not known; said before the first step.
        StepFailed: queries still wait, or make no row; or the optimisers ended with an error.

    """
    try:
        need_all(config)
    except BadRun as error:
        raise BadRun(f"{toml}: {error}") from error
    need_options(toml)
    with _server(config) as url:
        rows = synthesised(config, config.synthesis, url) if config.synthesis else 0
        command_line = [str(TRAINING), "-m", "training.align.run", str(toml)]
        judged = ["--reward-url", url] if config.synthesis and not config.reward.url else []
        _say("optimisers")
        done = subprocess.run([*command_line, *judged], stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603 - our own words
    if done.returncode:
        raise StepFailed(f"{' '.join(command_line)}: exit status {done.returncode}")
    made = Path(done.stdout.splitlines()[-1])
    failed = gated(config, made)
    return Outcome(made, rows, not failed, failed)


@contextmanager
def _server(config: AlignConfig) -> Iterator[str]:
    """The URL of whoever synthesises: the TOML's, or the base checkpoint served in this process."""
    if config.synthesis is None or config.synthesis.url:
        yield config.synthesis.url if config.synthesis else ""
        return
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "base.gguf"
        gguf.write(Path(config.base), path)
        model = Llama(path, context=_CONTEXT)
        yield f"{model.address}/v1"
        del model


def synthesised(config: AlignConfig, settings: Synthesis, url: str) -> int:
    """Rubrics for the TOML's queries; how many came of them.

    All are asked for at every start: what was answered is in the journal and costs nothing.

    Raises:
        StepFailed: some queries still wait for a reply, or none has made a row. A run would train on fewer rows, or
            none, and no later start would make them.

    """
    _say("synthesis")
    source = command.Source(Path(settings.queries), None, settings.limit or None)
    asked = (url, settings.model)
    with command.opened(
        config.synthesised, asked, asked, settings.samples, config.seed, settings.concurrency
    ) as synthesis:
        if not settings.url:
            while synthesis.take(rehearsal.replies(synthesis.open_requests(source.queries())), source.queries()).taken:
                pass  # its rubrics, and then what it says of their pairs
        failed = command.ask(synthesis, source, concurrency=settings.concurrency)
        report = command.finish(synthesis, source, _prices(settings))
    if report["waiting"]:
        raise StepFailed(
            f"synthesis: {report['waiting']} queries have no reply from {url} ({failed}): start it again to go on"
        )
    if not report["made"]:
        dropped = ", ".join(f"{count} {reason}" for reason, count in report["dropped"].items())
        raise StepFailed(f"synthesis: {settings.queries} made no row ({dropped or 'no queries'}): nothing to learn")
    return int(report["made"])


def _prices(settings: Synthesis) -> Prices:
    judge = [p if p >= 0 else None for p in (settings.judge_prompt_price, settings.judge_completion_price)]
    return Prices.given(settings.prompt_price, settings.completion_price, *judge, same_judge=True)


def gated(config: AlignConfig, made: Path) -> tuple[str, ...]:
    """Holds the result against its base; the names of the checks that fail. The report stands beside the result.

    Raises:
        StepFailed: the TOML names servers for it, and they do not serve the two, or the judge gives no verdict.

    """
    _say("gate")
    report = _by_url(config, made) if config.gate.candidate_url else _here(config, made)
    comparison.write(report, config.folder / "gate")
    return tuple(check.name for check in report.decision.checks if not check.holds)


def _here(config: AlignConfig, made: Path) -> Report:
    settings = config.gate
    with _progress(comparison.dialogues(settings.dialogues)) as advance:
        return comparison.compare(
            made,
            Path(config.base),
            Path(settings.judge),
            count=settings.dialogues,
            seed=settings.seed,
            progress=advance,
        )


def _by_url(config: AlignConfig, made: Path) -> Report:
    """The servers' names for the weights hold their digests, so that no server of other weights passes for them."""
    settings, base = config.gate, Path(config.base)
    servers = served.Servers(
        Endpoint(settings.candidate_url, served_name(config.name, made), _MODEL_KEY, settings.concurrency),
        Endpoint(settings.incumbent_url, served_name(base.name, base), _MODEL_KEY, settings.concurrency),
        Endpoint(settings.judge_url, settings.judge_model, _JUDGE_KEY, settings.concurrency),
    )
    guards = Rows(library=library.load(), queries=library.queries(), count=settings.dialogues, seed=settings.seed)
    measure = served.Measure(load(config).held_out, guards, config.rollouts.max_tokens)
    try:
        with _progress(measure.steps) as advance:
            return asyncio.run(served.compare(servers, measure, config.folder / "gate", progress=advance))
    except (ModelFailed, served.NotMeasured) as error:
        new, old = servers.candidate, servers.incumbent
        raise StepFailed(
            f"gate: {error}. It wants `vllm serve {made} --served-model-name {new.model}` at {new.url}, "
            f"`vllm serve {base} --served-model-name {old.model}` at {old.url}, and {servers.judge.model} at "
            f"{servers.judge.url}; then start the run again, which goes on here"
        ) from error


def served_name(name: str, folder: Path) -> str:
    """What a server is to call the weights of a folder."""
    return f"{name}-{provenance.weights(folder)[:12]}"


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("dialogues", total=total)
        yield lambda: bar.advance(task)


def _say(step: str) -> None:
    print(f"== {step}", file=sys.stderr, flush=True)
