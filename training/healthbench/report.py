"""The report a person looks at: scores come in, one HTML page with bars and intervals goes out."""

from collections.abc import Mapping, Sequence
from html import escape

from training.healthbench.records import Graded
from training.healthbench.scoring import Score, Scores, answer_score

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .5rem;border-bottom:1px solid #d8dee4}
td.n{text-align:right;font-variant-numeric:tabular-nums}svg{width:100%;height:auto}.bar{fill:#2f6f9f}
.whisker{stroke:#1b1f24;stroke-width:2}.axis{stroke:#8c959f}text{font-size:11px;fill:#1b1f24}
@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}td,th{border-color:#30363d}
.whisker{stroke:#e6edf3}text{fill:#e6edf3}}
"""
_BINS = 20
_WIDTH, _HEIGHT = 600, 160


def page(scores: Scores, graded: Sequence[Graded], *, title: str, facts: Mapping[str, str]) -> str:
    """The whole page, with nothing outside it."""
    overall = scores.overall
    said = f"{overall.score:.3f} ({overall.low:.3f} to {overall.high:.3f}), {overall.answers} answers"
    left_out = f"{scores.unjudged} unjudged, {scores.without_positive_points} without positive points"
    known = "".join(f"<tr><th>{escape(k)}</th><td>{escape(v)}</td></tr>" for k, v in facts.items())
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>"
        f"<p><strong>Score {said}.</strong> Left out: {left_out}. Intervals are 95 %, by bootstrap over answers.</p>"
        f"<table>{known}</table>"
        f"<h2>By theme</h2>{_table(scores.themes)}<h2>By axis</h2>{_table(scores.axes)}"
        f"<h2>Scores of single answers</h2>{_histogram(graded)}</body></html>\n"
    )


def _table(scores: Mapping[str, Score]) -> str:
    if not scores:
        return "<p>The rows carry no such tags.</p>"
    rows = "".join(
        f'<tr><td>{escape(name)}</td><td class="n">{s.answers}</td><td class="n">{s.score:.3f}</td>'
        f"<td>{_bar(s)}</td></tr>"
        for name, s in scores.items()
    )
    return f"<table><tr><th></th><th>answers</th><th>score</th><th>0 to 1</th></tr>{rows}</table>"


def _bar(score: Score) -> str:
    """A bar with its interval, which the cell before it says in figures."""
    return (
        f'<svg viewBox="0 0 300 14" role="img" aria-label="{score.low:.3f} to {score.high:.3f}">'
        f'<rect class="bar" x="0" y="2" width="{300 * score.score:.1f}" height="10"/>'
        f'<line class="whisker" x1="{300 * score.low:.1f}" x2="{300 * score.high:.1f}" y1="7" y2="7"/></svg>'
    )


def _histogram(graded: Sequence[Graded]) -> str:
    values = [value for answer in graded if (value := answer_score(answer.marks)) is not None]
    low, high = min([0.0, *values]), max([1.0, *values])
    counts = [0] * _BINS
    for value in values:
        counts[min(_BINS - 1, int((value - low) / (high - low) * _BINS))] += 1
    wide, tall = _WIDTH / _BINS, (_HEIGHT - 30) / max(counts)
    bars = "".join(
        f'<rect class="bar" x="{at * wide + 1:.1f}" y="{_HEIGHT - 20 - count * tall:.1f}" '
        f'width="{wide - 2:.1f}" height="{count * tall:.1f}"><title>{count}</title></rect>'
        for at, count in enumerate(counts)
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="How many answers have which score">{bars}'
        f'<line class="axis" x1="0" x2="{_WIDTH}" y1="{_HEIGHT - 20}" y2="{_HEIGHT - 20}"/>'
        f'<text x="2" y="{_HEIGHT - 5}">{low:.2f}</text>'
        f'<text x="{_WIDTH - 30}" y="{_HEIGHT - 5}">{high:.2f}</text></svg>'
    )
