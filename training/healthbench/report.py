"""The report a person looks at: scores come in, one HTML page with bars and intervals goes out."""

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape

from training.healthbench.records import Graded
from training.healthbench.scoring import Score, Scores, answer_score

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .5rem;border-bottom:1px solid #d8dee4}
.facts th{width:8rem}.scores{table-layout:fixed}.scores col.name{width:14rem}.scores col.n{width:5rem}
.scores col.range{width:9rem}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
svg{display:block;width:100%;height:auto}.track{fill:#8c959f;fill-opacity:.2}.bar{fill:#6fa8d6}
.whisker,.mean{stroke:#1b1f24;stroke-width:2}.axis{stroke:#8c959f}text{font-size:11px;fill:#1b1f24}
.middle{text-anchor:middle}.end{text-anchor:end}
@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}td,th{border-color:#30363d}
.bar{fill:#2f6f9f}.whisker,.mean{stroke:#e6edf3}text{fill:#e6edf3}}
"""
_THEMES = "Whole answers, by the themes of their prompts. An answer whose prompt has none is in no row."
_AXES = "Each answer by its criteria of that axis alone, where it has such with points to earn."
_BINS = 20
_STEPS = tuple(digit * 10.0**power for power in range(-1, 9) for digit in (1, 2, 5))
_WIDTH, _HEIGHT = 600, 200
_LEFT, _FOOT, _TOP = 34, 36, 16


def page(scores: Scores, graded: Sequence[Graded], *, title: str, facts: Mapping[str, str]) -> str:
    """The whole page, with nothing outside it."""
    overall = scores.overall
    said = f"{overall.score:.3f} ({overall.low:.3f} to {overall.high:.3f}), {overall.answers} answers"
    left_out = f"{scores.unjudged} unjudged, {scores.without_positive_points} without positive points"
    known = "".join(f"<tr><th>{escape(k)}</th><td>{escape(v)}</td></tr>" for k, v in facts.items())
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>"
        f"<p><strong>Score {said}.</strong> {_length(graded)}Left out: {left_out}. "
        "Intervals are 95 %, by bootstrap over answers.</p>"
        f'<table class="facts">{known}</table>'
        f"<h2>By theme</h2>{_table(scores.themes, _THEMES)}<h2>By axis</h2>{_table(scores.axes, _AXES)}"
        f"<h2>Scores of single answers</h2>{_histogram(graded, overall.score)}</body></html>\n"
    )


def _length(graded: Sequence[Graded]) -> str:
    """Beside the score, since a longer answer meets more; empty where the rows do not say it."""
    words = [answer.words for answer in graded if answer.words is not None]
    return f"An answer has {sum(words) / len(words):.0f} words on average. " if words else ""


def _table(scores: Mapping[str, Score], note: str) -> str:
    if not scores:
        return "<p>The rows carry no such tags.</p>"
    rows = "".join(
        f'<tr><td>{escape(name)}</td><td class="n">{s.answers}</td><td class="n">{s.score:.3f}</td>'
        f'<td class="n">{s.low:.3f} to {s.high:.3f}</td><td>{_bar(s)}</td></tr>'
        for name, s in scores.items()
    )
    widths = '<col class="name"><col class="n"><col class="n"><col class="range"><col>'
    head = "".join(f'<th class="n">{name}</th>' for name in ("answers", "score", "interval"))
    return f'<p>{note}</p><table class="scores">{widths}<tr><th></th>{head}<th>{_scale()}</th></tr>{rows}</table>'


def _scale() -> str:
    return (
        '<svg viewBox="0 0 300 14" aria-hidden="true"><text x="0" y="11">0</text>'
        '<text class="middle" x="150" y="11">0.5</text><text class="end" x="300" y="11">1</text></svg>'
    )


def _bar(score: Score) -> str:
    """A bar with its interval, which the cell before it says in figures."""
    low, high = (300 * end for end in (score.low, score.high))
    ends = "".join(f'<line class="whisker" x1="{x:.1f}" x2="{x:.1f}" y1="4" y2="10"/>' for x in (low, high))
    return (
        f'<svg viewBox="0 0 300 14" role="img" aria-label="{score.low:.3f} to {score.high:.3f}">'
        '<rect class="track" x="0" y="2" width="300" height="10"/>'
        f'<rect class="bar" x="0" y="2" width="{300 * score.score:.1f}" height="10"/>'
        f'<line class="whisker" x1="{low:.1f}" x2="{high:.1f}" y1="7" y2="7"/>{ends}</svg>'
    )


def _histogram(graded: Sequence[Graded], mean: float) -> str:
    values = [value for answer in graded if (value := answer_score(answer.marks)) is not None]
    low, high = min([0.0, *values]), max([1.0, *values])
    counts = [0] * _BINS
    for value in values:
        counts[min(_BINS - 1, int((value - low) / (high - low) * _BINS))] += 1
    most, base = max(counts), _HEIGHT - _FOOT
    wide, tall = (_WIDTH - _LEFT) / _BINS, (base - _TOP) / most

    def across(value: float) -> float:
        return _LEFT + (value - low) / (high - low) * (_WIDTH - _LEFT)

    label = min(_WIDTH - 40.0, max(100.0, across(mean)))  # clear of the edge and of what stands in the corner
    bars = "".join(
        f'<rect class="bar" x="{_LEFT + at * wide + 1:.1f}" y="{base - count * tall:.1f}" '
        f'width="{wide - 2:.1f}" height="{count * tall:.1f}"><title>{count}</title></rect>'
        for at, count in enumerate(counts)
    )
    ticks = "".join(
        f'<line class="axis" x1="{across(x):.1f}" x2="{across(x):.1f}" y1="{base}" y2="{base + 4}"/>'
        f'<text class="middle" x="{min(_WIDTH - 8.0, across(x)):.1f}" y="{base + 16}">{x:g}</text>'
        for x in _ticks(low, high)
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="How many answers have which score">{bars}'
        f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH}" y1="{base}" y2="{base}"/>{ticks}'
        f'<text class="end" x="{_LEFT - 4}" y="{_TOP + 8}">{most}</text>'
        f'<text class="end" x="{_LEFT - 4}" y="{base}">0</text>'
        f'<line class="mean" x1="{across(mean):.1f}" x2="{across(mean):.1f}" y1="{_TOP - 2}" y2="{base}"/>'
        f'<text class="middle" x="{label:.1f}" y="{_TOP - 5}">mean {mean:.3f}</text>'
        f'<text class="end" x="{_WIDTH}" y="{_HEIGHT - 5}">score of an answer: points met over points to earn</text>'
        f'<text x="0" y="{_TOP - 5}">answers</text></svg>'
    )


def _ticks(low: float, high: float) -> Iterator[float]:
    """Round values within, some six of them, with 0 among them."""
    step = next((step for step in _STEPS if (high - low) / step <= 7), high - low)
    for at in range(math.ceil(low / step), math.floor(high / step) + 1):
        yield round(at * step, 6)
