"""Tuning: the only rows of others that rules and thresholds may be chosen on. Nothing here gives a reporting row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from service.pipeline.screen.rows import Fold, Row, each_row


@dataclass(frozen=True, slots=True)
class Point:
    """What a threshold of the head gives together with the rules, in [0, 1]; false alarms by file."""

    threshold: float
    sensitivity: float
    false_alarms: Mapping[str, float]


def read_tuning(path: Path) -> tuple[Row, ...]:
    """The rows of the tuning fold; those of the reporting fold are dropped as they are read.

    Raises:
        SettingsError: as `each_row`.

    """
    return tuple(row for row in each_row(path) if row.fold is Fold.TUNING)


def curve(
    dangers: Sequence[float], others: Mapping[str, Sequence[float]], *, thresholds: Sequence[float]
) -> tuple[Point, ...]:
    """Sensitivity and false alarms at each threshold, from what rows of the tuning fold score."""
    return tuple(
        Point(
            threshold,
            _share(dangers, threshold),
            {name: _share(scores, threshold) for name, scores in others.items()},
        )
        for threshold in thresholds
    )


def _share(scores: Sequence[float], threshold: float) -> float:
    return sum(score >= threshold for score in scores) / max(len(scores), 1)
