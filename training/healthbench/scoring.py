"""HealthBench's score: graded answers come in; the clipped mean, its bootstrap, and both by theme and axis go out.

One answer scores the points of all that is met over the sum of the positive points: more than 1 cannot be, less than 0
can, and it is not clipped. Only the mean over answers is, to [0, 1]. After openai/simple-evals, healthbench_eval.py.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from training.healthbench.records import Graded, Mark

RESAMPLES: Final = 1000
_SEED: Final = 20260209
_THEME, _AXIS = "theme:", "axis:"


@dataclass(frozen=True, slots=True)
class Score:
    """The mean of `answers` scores, clipped to [0, 1]; `deviation` is the bootstrap's, `low` and `high` its 95 %."""

    score: float
    deviation: float
    low: float
    high: float
    answers: int


@dataclass(frozen=True, slots=True)
class Scores:
    """`overall`, by theme and by axis. Of `unjudged` answers a mark is missing: they are in no figure."""

    overall: Score
    themes: Mapping[str, Score]
    axes: Mapping[str, Score]
    unjudged: int
    without_positive_points: int

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON; the overall figures stand at the top."""
        return {
            **asdict(self.overall),
            "by_theme": {name: asdict(score) for name, score in self.themes.items()},
            "by_axis": {name: asdict(score) for name, score in self.axes.items()},
            "unjudged": self.unjudged,
            "without_positive_points": self.without_positive_points,
        }


class NothingToScore(ValueError):
    """No answer is judged whole: there is no mean to give, and 0 would be a lie."""


def answer_score(marks: Iterable[Mark]) -> float | None:
    """Points met over positive points. None where a mark is missing, or there are no positive points to earn."""
    listed = tuple(marks)
    possible = sum(mark.points for mark in listed if mark.points > 0)
    if not possible or any(mark.met is None for mark in listed):
        return None
    return sum(mark.points for mark in listed if mark.met) / possible


def score(graded: Sequence[Graded], *, resamples: int = RESAMPLES, seed: int = _SEED) -> Scores:
    """All figures of a set of answers.

    Raises:
        NothingToScore: no answer has a score.

    """
    judged = [answer for answer in graded if all(mark.met is not None for mark in answer.marks)]
    scored = {answer.prompt_id: answer_score(answer.marks) for answer in judged}
    values = {name: value for name, value in scored.items() if value is not None}
    if not values:
        raise NothingToScore("no answer is judged whole and has positive points: there is no score")
    themes, axes = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    for answer in judged:
        if answer.prompt_id not in values:
            continue
        for theme in _named(answer.tags, _THEME):
            themes[theme].append(values[answer.prompt_id])
        for axis, value in _by_axis(answer.marks):
            axes[axis].append(value)

    def summed(found: Mapping[str, list[float]]) -> dict[str, Score]:
        return {name: summary(found[name], resamples=resamples, seed=seed) for name in sorted(found)}

    return Scores(
        overall=summary(list(values.values()), resamples=resamples, seed=seed),
        themes=summed(themes),
        axes=summed(axes),
        unjudged=len(graded) - len(judged),
        without_positive_points=len(judged) - len(values),
    )


def summary(values: Sequence[float], *, resamples: int = RESAMPLES, seed: int = _SEED) -> Score:
    """The clipped mean of at least one value, and the spread of the clipped means of its resamples."""
    means = np.clip(resampled(values, resamples=resamples, seed=seed).mean(axis=1), 0.0, 1.0)
    low, high = np.quantile(means, (0.025, 0.975))
    mean = float(np.clip(np.mean(values), 0.0, 1.0))
    return Score(mean, float(means.std()), float(low), float(high), len(values))


def resampled(values: Sequence[float], *, resamples: int, seed: int) -> NDArray[np.float64]:
    """[resamples, len(values)]: drawn from the values, with replacement."""
    rng = np.random.default_rng(seed)
    drawn: NDArray[np.float64] = np.asarray(values, dtype=np.float64)[
        rng.integers(len(values), size=(resamples, len(values)))
    ]
    return drawn


def _by_axis(marks: Sequence[Mark]) -> list[tuple[str, float]]:
    """The score of each axis's own marks, where it has positive points."""
    names = sorted({name for mark in marks for name in _named(mark.tags, _AXIS)})
    scored = ((name, answer_score(m for m in marks if f"{_AXIS}{name}" in m.tags)) for name in names)
    return [(name, value) for name, value in scored if value is not None]


def _named(tags: Iterable[str], prefix: str) -> list[str]:
    return [tag.removeprefix(prefix) for tag in tags if tag.startswith(prefix)]
