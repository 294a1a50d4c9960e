"""A reply of POST /chat as a person reads it in a terminal."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from service.pipeline.screen.counting import Rate

_COLOUR = {"met": "green", "unmet": "red", "unknown": "yellow"}
_OUTCOME_COLOUR = {
    "released": "green",
    "released_flagged": "yellow",
    "safe_message": "yellow",
    "chore": "yellow",
    "withheld": "red",
}


def show(reply: Mapping[str, Any], *, question: str, console: Console | None = None) -> None:
    """Question, answer, red flags, principles, verdicts, revisions. Texts are printed as they are, never as markup."""
    out = console or Console()
    out.print(Panel(Text(question), title="Question", title_align="left", border_style="dim"))
    outcome = reply["outcome"] + (f" ({reply['outcome_reason']})" if reply["outcome_reason"] else "")
    answer = Text(reply["answer"] or "(nothing)")
    out.print(
        Panel(answer, title=f"Answer: {outcome}", title_align="left", border_style=_OUTCOME_COLOUR[reply["outcome"]])
    )
    for flag in reply["red_flags"]:
        out.print(Text(f"Red flag: {flag['family']}", style="bold red"))
    out.print(_principles(reply["principles"]))
    out.print(_verdicts(reply["verdicts"]))
    for revision in reply["revisions"]:
        out.print(Text(_revised(revision)))
    out.print(Text(_footer(reply), style="dim"))


def show_rates(rates: Iterable[Rate], *, console: Console | None = None) -> None:
    """How many rows of each label were flagged, by source and fold."""
    table = Table("Source", "Label", "Fold", "Flagged", "Of", "Share", "95 %")
    for r in rates:
        table.add_row(
            r.source, r.label, r.fold, str(r.flagged), str(r.total), f"{r.share:.3f}", f"{r.low:.3f} to {r.high:.3f}"
        )
    (console or Console()).print(table)


def show_settings(described: Iterable[Mapping[str, str]], *, console: Console | None = None) -> None:
    """A table of settings."""
    table = Table("Variable", "Default", "For")
    for setting in described:
        table.add_row(Text(setting["variable"]), Text(setting["default"]), Text(setting["description"]))
    (console or Console()).print(table)


def _principles(principles: Sequence[Mapping[str, Any]]) -> Table:
    table = Table("Principle", "Dimension", "Similarity", title="Principles", title_justify="left")
    for principle in principles:
        table.add_row(Text(principle["title"]), principle["dimension"], f"{principle['similarity']:.2f}")
    return table


def _verdicts(verdicts: Sequence[Mapping[str, Any]]) -> Table:
    table = Table("Criterion", "Weight", "Polarity", "Verdict", "P(present)", title="Verdicts", title_justify="left")
    for v in verdicts:
        probability = "-" if v["probability"] is None else f"{v['probability']:.2f}"
        finding = Text(v["verdict"], style=_COLOUR[v["verdict"]])
        table.add_row(Text(v["criterion"]), str(v["weight"]), v["polarity"], finding, probability)
    return table


def _revised(revision: Mapping[str, Any]) -> str:
    ended = "accepted" if revision["accepted"] else f"left: {revision['reason']}"
    after = "-" if revision["score_after"] is None else f"{revision['score_after']:.2f}"
    return (
        f"Revision {revision['round']} by {revision['style']}: {ended}, score {revision['score_before']:.2f} -> {after}"
    )


def _footer(reply: Mapping[str, Any]) -> str:
    usage, timings = reply["usage"], reply["timings_ms"]
    notices = ", ".join(reply["provenance"].get("notices", ())) or "none"
    return (
        f"model {reply['model']}; {usage['prompt_tokens']} prompt tokens ({usage['cached_tokens']} cached), "
        f"{usage['completion_tokens']} completion tokens; {timings['total']:.0f} ms; notices: {notices}"
    )
