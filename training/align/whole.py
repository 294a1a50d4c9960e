"""A whole run of one TOML: synthesis, the optimisers in the training environment, export, and the gate's report.

    clinalign train run training/runs/smoke.toml

Where the TOML names no server for synthesis it is a rehearsal: a stand-in writes the rubrics, and the base checkpoint,
served here, answers and judges, in the reward too. Each step goes on where it was stopped.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import Progress

from training import gguf
from training.align.config import AlignConfig, Synthesis
from training.align.needs import need_all
from training.environments import TRAINING
from training.gate import comparison
from training.llama import Llama
from training.synthesis import command, rehearsal

_CONTEXT: Final = 4096


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
        BadRun: something that the TOML names is not there; said before the first step.
        StepFailed: queries still wait, or make no row; or the optimisers ended with an error.

    """
    need_all(config)
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
        served = Llama(path, context=_CONTEXT)
        yield f"{served.address}/v1"
        del served


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
            synthesis.take(rehearsal.replies(synthesis.open_requests(source.queries())))
        command.ask(synthesis, source, concurrency=settings.concurrency)
        report = command.finish(synthesis, source, 0.0, 0.0)
    if report["waiting"]:
        raise StepFailed(f"synthesis: {report['waiting']} queries have no reply from {url}: start it again to go on")
    if not report["made"]:
        dropped = ", ".join(f"{count} {reason}" for reason, count in report["dropped"].items())
        raise StepFailed(f"synthesis: {settings.queries} made no row ({dropped or 'no queries'}): nothing to learn")
    return int(report["made"])


def gated(config: AlignConfig, made: Path) -> tuple[str, ...]:
    """Holds the result against its base; the names of the checks that fail. The report stands beside the result."""
    _say("gate")
    settings = config.gate
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("dialogues", total=comparison.dialogues(settings.dialogues))
        report = comparison.compare(
            made,
            Path(config.base),
            Path(settings.judge),
            count=settings.dialogues,
            seed=settings.seed,
            progress=lambda: bar.advance(task),
        )
    comparison.write(report, config.folder / "gate")
    return tuple(check.name for check in report.decision.checks if not check.holds)


def _say(step: str) -> None:
    print(f"== {step}", file=sys.stderr, flush=True)
