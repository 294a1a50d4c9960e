"""What a run on real hardware costs: its TOML and sizes come in; tokens, GPU hours and hours by stage go out.

    python -m training.budget

Every figure here is computed, none measured: take them for orders of magnitude. To write, read and judge costs 2
floating-point operations a weight in use and token. To learn costs 6 (forward 2, backward 4), and 2 more where
activations are computed again (gradient checkpointing, on GPUs the default); adapters spare 2, the gradients of the
weights that stay; GRPO by vLLM adds 2, since TRL reads each answer once more before it learns.

Of a GPU's peak a training run reaches `used_training`, a batched server `used_serving` when writing and `used_reading`
when reading prompts. A prompt is read once for all of its answers. Stages, and a step's parts, follow one another.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from training.align.config import AlignConfig, read

_RUNS: Final = Path(__file__).parent / "runs"
_PAIR_SAID: Final = 8  # tokens of the word on one pair


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU: its peak in floating-point operations a second (bfloat16, dense), and what shares of it are reached."""

    name: str = "H100"
    peak: float = 989e12
    used_training: float = 0.35
    used_serving: float = 0.08
    used_reading: float = 0.40


@dataclass(frozen=True, slots=True)
class Machine:
    """Who sits where: GPUs that train, that serve the rollouts, and that serve the judge, which synthesises before."""

    trains: int
    writes: int = 2
    judges: int = 2

    @property
    def gpus(self) -> int:
        """All of them."""
        return self.trains + self.writes + self.judges


@dataclass(frozen=True, slots=True)
class Run:
    """A run's TOML, and what it does not say. `active` are the weights in use for a token; `items` are a rubric's."""

    config: AlignConfig
    active: float
    judge_active: float = 3.3e9
    queries: int = 16_872
    synthesis_samples: int = 4
    rubric_tokens: int = 1500
    prompt_tokens: int = 900
    answer_tokens: int = 600
    criterion_tokens: int = 60
    items: int = 7
    pairs: int = 3  # of a rubric's items, that cosine alone cannot tell apart
    pair_tokens: int = 80
    pair_prompt_tokens: int = 200  # the question about them, without them

    def options(self, kind: str) -> dict[str, Any]:
        """A stage's, as the TOML has them."""
        return next(stage.options for stage in self.config.stages if stage.kind == kind)

    def prompts_a_step(self, processes: int) -> int:
        """GRPO's: what all processes gather for one step, in groups."""
        options = self.options("grpo")
        samples = processes * options["per_device_train_batch_size"] * options["gradient_accumulation_steps"]
        return int(samples) // int(options["num_generations"])

    def learning(self, kind: str) -> int:
        """Operations a weight and token."""
        options = self.options(kind)
        again = 2 * bool(options.get("gradient_checkpointing", not self.config.rollouts.shared_prompts))
        return 6 + again - 2 * (self.config.lora is not None) + 2 * bool(options.get("use_vllm"))


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one stage: tokens through a model, GPU hours, and the GPUs that share them."""

    stage: str
    tokens: float
    hours: float
    gpus: int

    @property
    def wall(self) -> float:
        """Hours by the clock."""
        return self.hours / self.gpus


def runs() -> tuple[Run, ...]:
    """The runs that are shipped for such machines."""
    sizes = {"clinalign-4b": 4.0e9, "clinalign-30b-a3b": 3.3e9}
    return tuple(Run(read(_RUNS / f"{name}.toml"), active) for name, active in sizes.items())


def machine() -> Machine:
    """The one that accelerate's settings are for."""
    settings = yaml.safe_load((_RUNS / "fsdp.yaml").read_text(encoding="utf-8"))
    return Machine(settings["num_processes"])


def costs(run: Run, on: Machine, gpu: Gpu | None = None) -> tuple[Cost, ...]:
    """Synthesis, rollouts and their judging, SFT, and what GRPO writes, has judged, and learns."""
    gpu = gpu or Gpu()
    whole = run.prompt_tokens + run.answer_tokens
    tried, answers = run.queries * run.synthesis_samples, run.queries * run.config.rollouts.samples
    sft, grpo = run.options("sft"), run.options("grpo")
    prompts = grpo["max_steps"] * run.prompts_a_step(on.trains)
    learnt = prompts * grpo["num_generations"]
    passes = sft.get("num_train_epochs", 1)

    def writes(stage: str, read: int, written: int, active: float, gpus: int) -> Cost:
        work = 2 * active * (read / gpu.used_reading + written / gpu.used_serving)
        return Cost(stage, read + written, work / gpu.peak / 3600, gpus)

    def judges(stage: str, count: int) -> Cost:
        """An answer and its prompt are read once, and shared by the criteria."""
        tokens = count * (whole + run.criterion_tokens * run.items)
        return Cost(stage, tokens, tokens * 2 * run.judge_active / (gpu.peak * gpu.used_reading) / 3600, on.judges)

    def learns(stage: str, kind: str, tokens: float) -> Cost:
        work = tokens * run.learning(kind) * run.active
        return Cost(stage, tokens, work / (gpu.peak * gpu.used_training) / 3600, on.trains)

    asked, rubrics, tries = run.queries * run.prompt_tokens, run.queries * run.rubric_tokens, tried * run.answer_tokens
    pairs = run.queries * (run.pair_prompt_tokens + run.pairs * run.pair_tokens)
    return (
        writes("synthesis: rubrics", asked, rubrics, run.judge_active, on.judges),
        writes("synthesis: pairs", pairs, run.queries * run.pairs * _PAIR_SAID, run.judge_active, on.judges),
        writes("synthesis: samples", asked, tries, run.judge_active, on.judges),
        judges("synthesis: verdicts", tried),
        writes("rollouts", asked, answers * run.answer_tokens, run.active, on.writes),
        judges("rollouts judged", answers),
        learns("SFT", "sft", run.queries * whole * passes),
        writes("GRPO writes", prompts * run.prompt_tokens, learnt * run.answer_tokens, run.active, on.writes),
        judges("GRPO judged", learnt),
        learns("GRPO learns", "grpo", learnt * whole),
    )


def table(gpu: Gpu | None = None) -> str:
    """The budget as Markdown."""
    lines = ["| run | stage | million tokens | GPU hours | GPUs | hours |", "|---|---|---|---|---|---|"]
    on = machine()
    for run in runs():
        found = costs(run, on, gpu)
        name = run.config.name
        lines += [
            f"| {name} | {c.stage} | {c.tokens / 1e6:,.0f} | {c.hours:,.1f} | {c.gpus} | {c.wall:,.1f} |" for c in found
        ]
        sums = [sum(getattr(c, what) for c in found) for what in ("tokens", "hours", "wall")]
        tokens, hours, wall = sums
        lines.append(f"| {name} | **all** | **{tokens / 1e6:,.0f}** | **{hours:,.1f}** | {on.gpus} | **{wall:,.1f}** |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
