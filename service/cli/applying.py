"""Real questions with graded labels in; which principles are taken to apply to them, rightly or not, out."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table

from principles_store.cli import AsJson, refusals
from principles_store.graded import LABELLED_BY, RELEVANT, Half, Judged, read_judged
from principles_store.measures import Proportion
from principles_store.paths import Places
from principles_store.retrieval_evaluation import SERVED
from principles_store.store import PrinciplesStore
from principles_store.typed import of_data, of_page, typed
from service.cli.evaluations import Page
from service.cli.screening import served_screen
from service.domain.assessment import Retrieved
from service.domain.conversation import Message, Role
from service.pipeline import retrieve
from service.pipeline.evaluation.serving import Serving
from service.pipeline.principles import StoredPrinciples
from service.pipeline.screen import Screen


@dataclass(frozen=True, slots=True)
class Applying:
    """On one half: of the principles taken, those that apply (grade 2 or 3); of those that apply, those taken.

    Principles that always apply are left aside. `alarms` counts principles of emergencies, taken by nearness or brought
    in by a red flag, whose grade is none.
    """

    half: Half
    precision: Proportion
    recall: Proportion
    alarms: int
    questions: int

    @property
    def taken(self) -> float:
        """How many are taken for a question on average."""
        return self.precision.total / max(self.questions, 1)

    def as_dict(self) -> Mapping[str, object]:
        """Ready for JSON."""
        shares = {"precision": self.precision, "recall": self.recall}
        told = {
            name: {"value": s.value, "hits": s.hits, "total": s.total, "interval": s.interval}
            for name, s in shares.items()
        }
        return {"half": self.half.value, "questions": self.questions, "alarms": self.alarms, **told}


async def measure(
    store: PrinciplesStore, judged: Sequence[Judged], *, nearness: retrieve.Nearness, screen: Screen
) -> list[Applying]:
    """What the pipeline takes for each question, screen included, by half."""
    serving = Serving(StoredPrinciples(store), screen, nearness=nearness)
    taken = [(await serving.assess([Message(Role.USER, one.text)])).principles for one in judged]
    always = {principle.id for principle in store.principles if principle.always_on}
    return [_counted(half, judged, taken, always) for half in Half]


def applies(
    data: Annotated[Path, typer.Option(help="Folder with the real questions that the labels name.")],
    *,
    page: Page = None,
    as_json: AsJson = False,
) -> None:
    """Which principles are taken to apply to real questions, rightly or not, with 95 % intervals."""
    with refusals():
        places = Places.from_environment()
        judged = read_judged(data)
        store = PrinciplesStore.open(places.principles, places.encoder, places.index, precision=places.precision)
        screen, nearness = served_screen(store.encoder), retrieve.Nearness()
        found = asyncio.run(measure(store, judged, nearness=nearness, screen=screen))
    if page is not None:
        page.write_text(applying_page(found, nearness, command=_command(data, page)), encoding="utf-8")
    if as_json:
        told = {"halves": [one.as_dict() for one in found], "labelled_by": LABELLED_BY}
        typer.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
    else:
        show_applying(found)


def applying_page(found: Sequence[Applying], nearness: retrieve.Nearness, *, command: str) -> str:
    """A part of the section "Retrieval"."""
    return f"""### What is taken to apply

`{command}`

The same questions and labels, and the row `{SERVED}` above from its other side. Of the principles that are taken
for being near (at most {nearness.most}, of a relevance of {nearness.relevance} or more) or that a red flag brings in,
how many apply (grade 2 or 3)? Of those that apply, how many are taken? Principles that always come are left aside.
Needless emergencies are principles of emergencies that were taken with no grade at all. The floor and the number were
chosen on the tuning half (`docs/decisions/applies-before-the-draft.md`). Labelled by {LABELLED_BY}.

| half | questions | taken that apply | that apply taken | taken on average | needless emergencies |
|---|---|---|---|---|---|
{chr(10).join(_row(one) for one in found)}

**What it can't do.** {_wrong(found[-1])}
A criterion of a principle that does not apply can fail a good answer; one of a principle that was left out is never
asked for.
"""


def _row(one: Applying) -> str:
    shares = f"{_share(one.precision)} | {_share(one.recall)}"
    return f"| {one.half.value} | {one.questions} | {shares} | {one.taken:.1f} | {one.alarms} |"


def _wrong(one: Applying) -> str:
    took, left = 1 - one.precision.value, 1 - one.recall.value
    return (
        f"On the {one.half.value} half {took:.0%} of what is taken is not what the reader would have chosen, and\n"
        f"{left:.0%} of what applies is left out."
    )


def show_applying(found: Sequence[Applying], *, console: Console | None = None) -> None:
    """A row a half."""
    table = Table("Half", "Questions", "Precision", "Recall", "Taken", "Needless emergencies")
    for one in found:
        taken = f"{one.taken:.2f}"
        shares = (_share(one.precision), _share(one.recall))
        table.add_row(one.half.value, str(one.questions), *shares, taken, str(one.alarms))
    out = console or Console()
    out.print(table)
    out.print(f"labelled by {LABELLED_BY}")


def _command(data: Path, page: Path) -> str:
    return typed("clinalign evaluate applies", ("--data", of_data(data)), ("--page", of_page(page)))


def _counted(half: Half, judged: Sequence[Judged], taken: Sequence[Sequence[Retrieved]], always: set[str]) -> Applying:
    hits = alarms = took = wanted = questions = 0
    for one, principles in zip(judged, taken, strict=True):
        if one.half is not half:
            continue
        ids = {principle.id for principle in principles} - always
        relevant = {name for name, grade in one.grades.items() if grade >= RELEVANT} - always
        hits += len(ids & relevant)
        took += len(ids)
        wanted += len(relevant)
        alarms += sum(p.level == "emergent" and p.id not in one.grades for p in principles)
        questions += 1
    return Applying(half, Proportion(hits, took), Proportion(hits, wanted), alarms, questions)


def _share(share: Proportion) -> str:
    low, high = share.interval
    return f"{share.value:.3f} ({low:.3f} to {high:.3f}), {share.hits}/{share.total}"
