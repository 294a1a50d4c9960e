"""What a run on real hardware costs: sizes in; GPU hours by stage, from stated formulas, out.

    python -m training.budget

Every figure here is computed, none measured: take them for orders of magnitude. A training step costs 6 floating-point
operations a weight in use and token (forward 2, backward 4), writing and judging cost 2. Of a GPU's peak a training run
reaches `used_training`, a batched server `used_serving` when writing and `used_reading` when reading prompts.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU: its peak in floating-point operations a second (bfloat16, dense), and what shares of it are reached."""

    name: str = "H100"
    peak: float = 989e12
    used_training: float = 0.35
    used_serving: float = 0.08
    used_reading: float = 0.40


@dataclass(frozen=True, slots=True)
class Run:
    """Sizes of a run. `active` are the weights in use for a token, in one; `items` are criteria a rubric."""

    name: str
    active: float
    judge_active: float
    queries: int
    samples: int
    steps: int
    prompts_a_step: int
    generations: int
    prompt_tokens: int = 900
    answer_tokens: int = 600
    items: int = 7
    passes: int = 1


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one stage: tokens through a model, and GPU hours."""

    stage: str
    tokens: float
    hours: float


RUNS: Final = (
    Run("clinalign-4b", 4.0e9, 3.3e9, 16_872, 8, 600, 32, 8),
    Run("clinalign-30b-a3b", 3.3e9, 3.3e9, 16_872, 8, 400, 32, 8),
)


def costs(run: Run, gpu: Gpu | None = None) -> tuple[Cost, ...]:
    """Synthesis, rollouts and their judging, SFT, GRPO's writing, judging and learning."""
    on = gpu or Gpu()
    written = run.queries * run.samples * run.answer_tokens
    grpo = run.steps * run.prompts_a_step * run.generations
    grpo_written = grpo * run.answer_tokens
    read = (run.prompt_tokens + run.answer_tokens) * 1.0
    return (
        _cost("synthesis", run.queries * 1500.0, 2 * run.judge_active, on.peak * on.used_serving),
        _cost("rollouts", float(written), 2 * run.active, on.peak * on.used_serving),
        _judging("rollouts judged", run.queries * run.samples, run, read, on),
        _cost("SFT", run.queries * read * run.passes, 6 * run.active, on.peak * on.used_training),
        _cost("GRPO writes", float(grpo_written), 2 * run.active, on.peak * on.used_serving),
        _judging("GRPO judged", grpo, run, read, on),
        _cost("GRPO learns", grpo * read, 6 * run.active, on.peak * on.used_training),
    )


def _cost(stage: str, tokens: float, work: float, speed: float) -> Cost:
    return Cost(stage, tokens, tokens * work / speed / 3600)


def _judging(stage: str, answers: int, run: Run, read: float, gpu: Gpu) -> Cost:
    """The prefix is read once an answer and shared by its criteria; each adds about 60 tokens of its own."""
    return _cost(stage, answers * (read + 60.0 * run.items), 2 * run.judge_active, gpu.peak * gpu.used_reading)


def table(runs: tuple[Run, ...] = RUNS, gpu: Gpu | None = None) -> str:
    """The budget as Markdown."""
    on = gpu or Gpu()
    lines = ["| run | stage | million tokens | GPU hours |", "|---|---|---|---|"]
    for run in runs:
        found = costs(run, on)
        lines += [f"| {run.name} | {c.stage} | {c.tokens / 1e6:,.0f} | {c.hours:,.1f} |" for c in found]
        lines.append(f"| {run.name} | **all** | | **{sum(c.hours for c in found):,.1f}** |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
