"""Real questions with graded labels in; which principles are taken to apply to them, rightly or not, out."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer
from rich.console import Console
from rich.table import Table

from principles_store.cli import AsJson, refusals
from principles_store.graded import LABELLED_BY, RELEVANT, Half, Judged, read_judged
from principles_store.measures import Proportion
from principles_store.paths import Places
from principles_store.store import PrinciplesStore
from service.domain.assessment import Retrieved
from service.domain.conversation import Conversation, Message, Role
from service.pipeline import retrieve, scenario
from service.pipeline.principles import StoredPrinciples
from service.pipeline.screen import Screen

_LIMIT: Final = 10


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

    def as_dict(self) -> Mapping[str, object]:
        """Ready for JSON."""
        shares = {"precision": self.precision, "recall": self.recall}
        told = {
            name: {"value": s.value, "hits": s.hits, "total": s.total, "interval": s.interval}
            for name, s in shares.items()
        }
        return {"half": self.half.value, "questions": self.questions, "alarms": self.alarms, **told}


async def measure(store: PrinciplesStore, judged: Sequence[Judged], *, nearness: retrieve.Nearness) -> list[Applying]:
    """What the pipeline takes for each question, screen included, by half."""
    screen, principles = Screen(), StoredPrinciples(store)
    taken = [await _taken(one.text, screen, principles, nearness) for one in judged]
    always = {principle.id for principle in store.principles if principle.always_on}
    return [_counted(half, judged, taken, always) for half in Half]


def applies(
    data: Annotated[Path, typer.Option(help="Folder with the real questions that the labels name.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Which principles are taken to apply to real questions, rightly or not, with 95 % intervals."""
    with refusals():
        places = Places.from_environment()
        judged = read_judged(data)
        store = PrinciplesStore.open(places.principles, places.encoder, places.index, precision=places.precision)
        found = asyncio.run(measure(store, judged, nearness=retrieve.Nearness()))
    if as_json:
        told = {"halves": [one.as_dict() for one in found], "labelled_by": LABELLED_BY}
        typer.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2).decode())
    else:
        show_applying(found)


def show_applying(found: Sequence[Applying], *, console: Console | None = None) -> None:
    """A row a half."""
    table = Table("Half", "Questions", "Precision", "Recall", "Taken", "Needless emergencies")
    for one in found:
        taken = f"{one.precision.total / max(one.questions, 1):.2f}"
        shares = (_share(one.precision), _share(one.recall))
        table.add_row(one.half.value, str(one.questions), *shares, taken, str(one.alarms))
    out = console or Console()
    out.print(table)
    out.print(f"labelled by {LABELLED_BY}")


async def _taken(
    text: str, screen: Screen, principles: StoredPrinciples, nearness: retrieve.Nearness
) -> tuple[Retrieved, ...]:
    flags = screen.screen(Conversation((Message(Role.USER, text),)), audience=None)
    hits = await principles.consult(text, families=[flag.family for flag in flags], limit=_LIMIT)
    settled = scenario.settle(hits.scenario, red_flags=flags, audience=None)
    return retrieve.select(
        hits, scenario=settled, limit=_LIMIT, nearness=nearness, reads_language=True, careful=bool(flags)
    )


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
