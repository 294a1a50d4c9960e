"""Measures in; plots as SVG out. Matplotlib is a tool of development, so it is asked for only when a plot is drawn."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from principles_store.errors import StoreError
from principles_store.intervals import Estimate
from principles_store.retrieval_evaluation import Way
from principles_store.scenario_evaluation import HeldOut
from principles_store.schema import LEVELS, Dimension

_HASH_SALT: Final = "clinalign"  # the same drawing twice is the same file
_BLUE, _GREY = "#31688e", "#9aa5b1"


def draw_ways(ways: tuple[Way, ...], path: Path) -> Path:
    """Bars of recall@10 and nDCG@10 with their intervals, one pair a way of ranking."""
    with _figure(path, width=8.0, height=3.6) as axes:
        for shift, colour, label, pick in (
            (-0.2, _BLUE, "recall@10", _recall),
            (0.2, _GREY, "nDCG@10", _ndcg),
        ):
            values = [pick(way) for way in ways]
            below = [value.value - value.low for value in values]
            above = [value.high - value.value for value in values]
            places = [place + shift for place in range(len(ways))]
            heights = [value.value for value in values]
            axes.bar(places, heights, 0.38, yerr=[below, above], color=colour, label=label, capsize=2)
        axes.set_xticks(range(len(ways)), [way.name for way in ways], rotation=20, ha="right", fontsize=8)
        axes.set_ylim(0, 1)
        axes.legend(frameon=False)
    return path


def draw_confusion(held_out: Mapping[Dimension, HeldOut], path: Path) -> Path:
    """Four tables of counts, true level down and read level across, shaded by the share of the row."""
    with _figure(path, width=11.0, height=9.0, parts=2) as grid:
        for axes, (dimension, found) in zip(grid.flat, held_out.items(), strict=True):
            levels = LEVELS[dimension]
            shares = [[count / max(sum(row), 1) for count in row] for row in found.confusion]
            axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
            for row, counts in enumerate(found.confusion):
                for column, count in enumerate(counts):
                    dark = shares[row][column] > 0.5  # noqa: PLR2004 - white reads on the darker half
                    axes.text(column, row, str(count), ha="center", va="center", color="white" if dark else "black")
            axes.set_xticks(range(len(levels)), levels, rotation=30, ha="right", fontsize=8)
            axes.set_yticks(range(len(levels)), levels, fontsize=8)
            axes.set_title(dimension.value.replace("_", " "))
    return path


@contextmanager
def _figure(path: Path, *, width: float, height: float, parts: int = 1) -> Iterator[Any]:
    try:
        import matplotlib as mpl  # noqa: PLC0415 - only where plots are drawn
        from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError as error:
        raise StoreError("a page with plots needs matplotlib: pip install -r requirements/dev.txt") from error
    with mpl.rc_context({"svg.hashsalt": _HASH_SALT}):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(figure)
        yield figure.subplots(parts, parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="svg", metadata={"Date": None})


def _recall(way: Way) -> Estimate:
    return way.recall10


def _ndcg(way: Way) -> Estimate:
    return way.ndcg
