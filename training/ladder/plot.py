"""The ladder as a picture: the rows that `python -m training.ladder --rows` kept in; an SVG out, the same each time.

    .venv/bin/python -m training.ladder.plot docs/alignment/ladder.json docs/alignment/ladder.svg

The scale begins at 0.4, so that intervals can be seen.
"""

import argparse
import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from training.ladder.climb import climbs_of, table

_SHOWN: Final = {"judged": ("judged by a model that gave no reward", "o"), "known": ("by known wordings", "s")}
_TITLES: Final = {"trained": "topic from trained principles", "held_out": "topic that training never drew"}


def drawn(told: dict[str, Any], path: Path) -> None:
    """Draws `table`'s figures, each step's mean with its 95 % interval and the answers' mean words below it."""
    matplotlib: Any = importlib.import_module("matplotlib")  # only for plots, and in requirements/dev alone
    matplotlib.use("svg")
    figures: Any = importlib.import_module("matplotlib.figure")
    with matplotlib.rc_context({"svg.hashsalt": "clinalign", "svg.fonttype": "none"}):
        figure = figures.Figure(figsize=(9, 4), layout="constrained")
        for axes, (group, title) in zip(figure.subplots(1, len(_TITLES), sharey=True), _TITLES.items(), strict=True):
            _panel(axes, told[group])
            axes.set_title(title)
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
        figure.supylabel("share of the rubric")
        figure.savefig(path, format="svg", metadata={"Date": None})


def _panel(axes: Any, rows: Sequence[dict[str, Any]]) -> None:
    places = list(range(len(rows)))
    for name, (label, marker) in _SHOWN.items():
        means = [row[name][0] for row in rows]
        below = [row[name][0] - row[name][1] for row in rows]
        above = [row[name][2] - row[name][0] for row in rows]
        axes.errorbar(places, means, yerr=[below, above], fmt=marker, capsize=4, label=label)
    axes.set_xticks(places, [f"{row['step']}\n{row['words'][0]:.0f} words" for row in rows], fontsize=8)
    axes.set_ylim(0.4, 1)
    axes.grid(axis="y", alpha=0.3)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The ladder as a picture.")
    parser.add_argument("rows", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    drawn(table(climbs_of(json.loads(given.rows.read_text(encoding="utf-8")))), given.out)
