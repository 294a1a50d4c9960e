"""The gate by URL: servers of candidate, incumbent and judge come in, and a run's held-out rows; a report goes out.

Answers are to the run's own held-out prompts, scored by the rubric that each came with. The guards are the gate's
everywhere. Replies and verdicts are kept: a gate that was stopped goes on.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from training.align.row import Kind, Row
from training.gate.decision import Answered, Figures, Guard
from training.gate.kept import Kept, Spoken, kept
from training.gate.questions import Asked
from training.gate.report import Report
from training.gate.rows import Rows, guarded, is_refusal
from training.models import Endpoint
from training.reward.judges import ModelJudge
from training.reward.scorer import Judge, Scorer


class NotMeasured(RuntimeError):
    """A figure could not be had: the judge failed, or there is no row. Nothing is passed without it."""


@dataclass(frozen=True, slots=True)
class Servers:
    """Each with the name that it serves its weights under: the report is of those names."""

    candidate: Endpoint
    incumbent: Endpoint
    judge: Endpoint


@dataclass(frozen=True, slots=True)
class Measure:
    """What is asked: the run's rows, of at most `most` tokens an answer, and the guards' rows."""

    held_out: Sequence[Row]
    guards: Rows
    most: int

    @property
    def prompts(self) -> list[Row]:
        """The held-out rows that an answer is written to; edits and verdicts are the guards' matter."""
        return [row for row in self.held_out if row.kind is Kind.DRAFT]

    @property
    def steps(self) -> int:
        """How often progress is told."""
        return 2 * (len(self.prompts) + 4 * self.guards.count)


async def compare(servers: Servers, measure: Measure, folder: Path, *, progress: Callable[[], None]) -> Report:
    """Measures both on the same rows.

    Raises:
        ModelFailed: a server does not answer; what it said so far is kept.
        NotMeasured: the judge does not, or no row was held out.
        JournalBroken: the folder's journals cannot be read.

    """
    if not measure.prompts:
        raise NotMeasured("the run holds out no row that an answer is written to: more rows, or a smaller one_in")
    async with AsyncExitStack() as stack:
        new, old, reads = [
            await stack.enter_async_context(kept(endpoint, folder))
            for endpoint in (servers.candidate, servers.incumbent, servers.judge)
        ]
        scorer = Scorer(ModelJudge(reads), concurrency=servers.judge.concurrency)
        candidate, incumbent = [await _measured(model, scorer, measure, progress) for model in (new, old)]
    facts = {
        "candidate": f"{servers.candidate.model} at {servers.candidate.url}",
        "incumbent": f"{servers.incumbent.model} at {servers.incumbent.url}",
        "judge": f"{scorer.judge.name} at {servers.judge.url}, which gave no reward",
        "engine": "by URL, greedy",
        "answers": f"to the run's {len(measure.prompts)} held-out prompts, by their rubrics",
        "dialogues": f"{measure.guards.count} of each group, held out, seed {measure.guards.seed}",
    }
    return Report(candidate, incumbent, facts)


async def _measured(model: Kept, scorer: Scorer, measure: Measure, progress: Callable[[], None]) -> Figures:
    spoken, places = Spoken(model, asyncio.get_running_loop()), asyncio.Semaphore(model.endpoint.concurrency)
    guards = await asyncio.to_thread(_guards, spoken, scorer.judge, measure.guards, model.endpoint, progress)

    async def one(row: Row) -> Answered:
        async with places:
            found = await _answered(row, model, scorer, most=measure.most)
        progress()
        return found

    try:
        async with asyncio.TaskGroup() as group:
            tasks = {row.id: group.create_task(one(row)) for row in measure.prompts}
    except ExceptionGroup as failed:  # the first says enough: one server gone fails every row alike
        raise failed.exceptions[0] from failed
    return Figures(model.endpoint.model, {name: task.result() for name, task in tasks.items()}, guards)


def _guards(
    spoken: Spoken, judge: Judge, rows: Rows, endpoint: Endpoint, progress: Callable[[], None]
) -> dict[Guard, dict[str, bool]]:
    """In threads of its own, as many as calls may be made at once; the loop makes the calls."""

    def declines(written: str, one: Asked) -> bool:
        return spoken.wait(declined(judge, one, written))

    with ThreadPoolExecutor(endpoint.concurrency) as threads:
        return guarded(spoken, rows, declines=declines, each=threads.map, progress=progress)


async def declined(judge: Judge, one: Asked, written: str) -> bool:
    """Whether an answer declines, and does nothing that is forbidden, as the judge reads it.

    The wordings that tell a refusal of our small checkpoints are not another model's.

    Raises:
        NotMeasured: the judge failed.

    """
    if not written.strip():
        return False
    refusing = [e.criterion.text for e in one.topic.exemplars if is_refusal(e)]
    forbidden = [e.criterion.text for e in one.topic.exemplars if not e.wanted]
    said = await asyncio.gather(*(judge.does(one.prompt, written, text) for text in (*refusing, *forbidden)))
    if None in said:
        raise NotMeasured(f"the judge {judge.name} gave no verdict on a refusal")
    return any(said[: len(refusing)]) and not any(said[len(refusing) :])


async def _answered(row: Row, model: Kept, scorer: Scorer, *, most: int) -> Answered:
    """The rubric's score without the price of length, which the gate asks about itself; an empty answer earns 0."""
    written = (await model.ask(row.prompt, temperature=0.0, max_tokens=most)).text
    if not written.strip():
        return Answered(0.0, 0)
    reward = await scorer.score(row.prompt, written, row.rubric)
    if reward is None:
        raise NotMeasured(f"the judge {scorer.judge.name} gave no verdict on the answer to {row.id}")
    return Answered(reward.rubric, len(written.split()))
