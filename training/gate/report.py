"""The gate's report: two checkpoints' figures in; JSON from which the decision follows again, and a page, out."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Final

from training.gate.decision import Answered, Check, Decision, Figures, Guard, decide

JSON_NAME: Final = "gate.json"
HTML_NAME: Final = "gate.html"
SECTION: Final = "## Gate"
_CHECKS: Final = "| check | | candidate | incumbent | difference (95 %) | rows |\n|---|---|---|---|---|---|"
_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .5rem;border-bottom:1px solid #d8dee4}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}svg{width:100%;height:auto}.dot{fill:#2f6f9f;fill-opacity:.5}
.whisker{stroke:#2f6f9f;stroke-width:3}.mean{fill:#2f6f9f}.fails{stroke:#b3362b;fill:#b3362b}
.axis{stroke:#8c959f}text{font-size:12px;fill:#1b1f24}
@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}td,th{border-color:#30363d}text{fill:#e6edf3}}
"""


class BadReport(ValueError):
    """The file is not a report of the gate; the message says where it fails."""


@dataclass(frozen=True, slots=True)
class Report:
    """`facts` say who judged and how much; the names in the figures are digests of checkpoints."""

    candidate: Figures
    incumbent: Figures
    facts: Mapping[str, Any]

    @property
    def decision(self) -> Decision:
        """Reckoned anew from the rows, so that no file can merely claim it.

        Raises:
            NotComparable: the two were not measured on the same rows.

        """
        return decide(self.candidate, self.incumbent)

    def to_json(self) -> str:
        """The decision for people, and the rows that it follows from."""
        told = {**self.decision.as_dict(), "facts": dict(self.facts)}
        rows = {"candidate": _rows(self.candidate), "incumbent": _rows(self.incumbent)}
        return json.dumps({**told, "rows": rows}, indent=1) + "\n"

    @classmethod
    def read(cls, path: Path) -> "Report":
        """What `to_json` wrote.

        Raises:
            BadReport: it is not that.

        """
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            new, old = (_figures(told[name], told["rows"][name]) for name in ("candidate", "incumbent"))
            return cls(new, old, dict(told["facts"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadReport(f"{path}: is no report of the gate ({type(error).__name__})") from error

    def section(self) -> str:
        """What a model card says of it, in Markdown."""
        known = "; ".join(f"{name}: {fact}" for name, fact in self.facts.items() if not name.endswith("_weights"))
        rows = "\n".join(
            f"| {c.name} | {'holds' if c.holds else 'fails'} | {c.candidate:.3f} | {c.incumbent:.3f} "
            f"| {_interval(c)} | {c.rows} |"
            for c in self.decision.checks
        )
        return (
            f"\n{SECTION}\n\nHeld against `{self.incumbent.checkpoint}` on the same held-out rows ({known}). "
            f"Every row is in `{JSON_NAME}`. Of not_by_length the figures are mean words, and the difference is what "
            f"is gained at equal length.\n\n{_CHECKS}\n{rows}\n"
        )

    def page(self) -> str:
        """One HTML page with nothing outside it."""
        decision = self.decision
        said = "may be published" if decision.publish else "may not be published"
        known = "".join(f"<tr><th>{escape(str(k))}</th><td>{escape(str(v))}</td></tr>" for k, v in self.facts.items())
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Gate</title>'
            f"<style>{_STYLE}</style></head><body><h1>The candidate {said}</h1>"
            f"<table><tr><th>candidate</th><td>{escape(decision.candidate)}</td></tr>"
            f"<tr><th>incumbent</th><td>{escape(decision.incumbent)}</td></tr>{known}</table>"
            f"<h2>Checks</h2>{_table(decision)}<h2>Differences, with 95 % intervals</h2>{_forest(decision)}"
            "<h2>Gain of each answer by its length</h2><p>Right of the middle the candidate's answer is longer, "
            f"above it better.</p>{_scatter(self.candidate, self.incumbent)}</body></html>\n"
        )


def _rows(figures: Figures) -> dict[str, Any]:
    return {
        "answers": {name: [answer.score, answer.words] for name, answer in figures.answers.items()},
        "guards": {guard.value: dict(rows) for guard, rows in figures.guards.items()},
    }


def _figures(name: str, rows: dict[str, Any]) -> Figures:
    answers = {row: Answered(float(score), int(words)) for row, (score, words) in rows["answers"].items()}
    guards = {Guard(guard): {row: right is True for row, right in r.items()} for guard, r in rows["guards"].items()}
    return Figures(str(name), answers, guards)


def _table(decision: Decision) -> str:
    rows = "".join(
        f"<tr><td>{escape(c.name)}</td><td>{'holds' if c.holds else '<strong>fails</strong>'}</td>"
        f'<td class="n">{c.candidate:.3f}</td><td class="n">{c.incumbent:.3f}</td>'
        f'<td class="n">{_interval(c)}</td><td class="n">{c.rows}</td><td>{escape(c.why)}</td></tr>'
        for c in decision.checks
    )
    head = "".join(f'<th class="n">{name}</th>' for name in ("candidate", "incumbent", "difference", "rows"))
    return f"<table><tr><th></th><th></th>{head}<th>rule</th></tr>{rows}</table>"


def _interval(check: Check) -> str:
    return "" if check.low is None or check.high is None else f"{check.low:+.3f} to {check.high:+.3f}"


def _forest(decision: Decision) -> str:
    """A line a check, on a scale that all of them share."""
    told = [(c, c.low, c.high) for c in decision.checks if c.low is not None and c.high is not None]
    reach = max([0.05, *(abs(end) for _, low, high in told for end in (low, high))])
    lines = []
    for at, (check, low, high) in enumerate(told):
        y, ends = 20 + 26 * at, [400 + 180 * end / reach for end in (low, high)]
        look = "" if check.holds else " fails"
        lines.append(
            f'<text x="0" y="{y + 4}">{escape(check.name)}</text>'
            f'<line class="whisker{look}" x1="{ends[0]:.1f}" x2="{ends[1]:.1f}" y1="{y}" y2="{y}"/>'
            f'<circle class="mean{look}" cx="{sum(ends) / 2:.1f}" cy="{y}" r="5"/>'
        )
    tall = 26 * len(told) + 20
    return (
        f'<svg viewBox="0 0 600 {tall + 16}" role="img" aria-label="The table\'s differences">{"".join(lines)}'
        f'<line class="axis" x1="400" x2="400" y1="4" y2="{tall}"/><text x="396" y="{tall + 14}">0</text>'
        f'<text x="200" y="{tall + 14}">{-reach:.2f}</text><text x="560" y="{tall + 14}">{reach:+.2f}</text></svg>'
    )


def _scatter(new: Figures, old: Figures) -> str:
    """Each held-out answer: the logarithm of the ratio of lengths across, the gain upwards."""
    pairs = [(answer, old.answers[name]) for name, answer in new.answers.items()]
    points = [(math.log(max(1, a.words) / max(1, b.words)), a.score - b.score) for a, b in pairs]
    wide, tall = (max([0.1, *(abs(point[axis]) for point in points)]) for axis in (0, 1))
    dots = "".join(
        f'<circle class="dot" cx="{300 + 280 * x / wide:.1f}" cy="{150 - 130 * y / tall:.1f}" r="4"/>'
        for x, y in points
    )
    return (
        f'<svg viewBox="0 0 600 300" role="img" aria-label="Gain by length of {len(points)} answers">'
        f'<line class="axis" x1="0" x2="600" y1="150" y2="150"/><line class="axis" x1="300" x2="300" y1="0" y2="300"/>'
        f'{dots}<text x="480" y="295">{math.exp(wide):.1f} times as long</text><text x="306" y="14">{tall:+.2f}</text>'
        f"</svg>"
    )
