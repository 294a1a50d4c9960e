"""How rules of acceptance and of release fare with judges that err: which were tried, and what each let through.

A revision harms where the true score falls or a weighty criterion is truly lost; it helps where the true score rises
and none is. The utility of a rule: +1 for each helpful revision accepted, -3 for each harmful one, over all revisions.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.domain.verdict import NOTHING_LOST
from service.pipeline.evaluation.simulation import (
    Cases,
    Flags,
    JudgeErrors,
    Numbers,
    Rule,
    Simulation,
    Version,
    World,
    passes,
    score,
)

HARM_COSTS = 3.0
_LINE = 7
_Z = 1.959964
# Kappas against physicians of open judges lie between these; the rates give them where three criteria in four are met.
STRONG = JudgeErrors(name="strong", misses=0.30, alarms=0.11)
MEDIUM = JudgeErrors(name="medium", misses=0.40, alarms=0.13)
WEAK = JudgeErrors(name="weak", misses=0.65, alarms=0.15)
COIN = JudgeErrors(name="coin", misses=0.80, alarms=0.20)
PAIRS = ((STRONG, STRONG), (MEDIUM, MEDIUM), (MEDIUM, STRONG), (WEAK, STRONG), (WEAK, MEDIUM))
SIZES = (5, 10, 20)
NO_LINE = 11
GAINS = (0.0, 0.5, 1.0, 1.5, 2.0)
LINES = (NOTHING_LOST, 5, _LINE, 9, NO_LINE)


@dataclass(frozen=True, slots=True)
class Parameters:
    """A rule: the weight of what is met rises, by at least `gains` times that of the lightest criterion which was to be
    mended, and no criterion of weight `keeps` or more is lost.
    """  # noqa: D205 - one sentence too long for one line

    gains: float
    keeps: int


# What the pipeline does (`rounds.acceptance`), and what it did before it was simulated.
IN_USE = Parameters(1.0, NOTHING_LOST)
BEFORE = Parameters(0.0, _LINE)


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over `count` cases, with its 95 % interval by the normal approximation."""

    value: float
    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True)
class Fared:
    """How a rule did: harmful revisions accepted of all harmful ones, helpful ones rejected, and the utility."""

    rule: Parameters
    harmful_accepted: Mean
    helpful_rejected: Mean
    utility: Mean


@dataclass(frozen=True, slots=True)
class Released:
    """What left after two rounds: of all answers, rightly and wrongly released, and withheld though it was right."""

    guide: str
    accept: str
    demands: str
    rightly: Mean
    wrongly: Mean
    withheld_though_right: Mean


def accepts(rule: Parameters, *, line: int = _LINE) -> Rule:
    """The rule as a function of two versions, by the accepting judge's readings."""

    def better(before: Version, after: Version, weights: Numbers) -> Flags:
        old, new = before.accept, after.accept
        wanted = rule.gains * lightest_target(before, weights, line=line)
        gain = (new * weights).sum(axis=1) - (old * weights).sum(axis=1)
        gained = np.asarray((gain > 0) & (gain >= wanted))
        lost = np.asarray((old & ~new & (weights >= rule.keeps)).any(axis=1))
        accepted: Flags = gained & ~lost
        return accepted

    return better


def lightest_target(before: Version, weights: Numbers, *, line: int) -> Numbers:
    """The weight of the lightest criterion that a revision is to mend, of each trial; 0 where there is none."""
    targets = ~before.guide & (weights >= np.minimum(line, weights.max(axis=1, keepdims=True)))
    lightest: Numbers = np.where(targets, weights, np.inf).min(axis=1)
    return np.where(np.isinf(lightest), 0.0, lightest)


@dataclass(frozen=True, slots=True)
class _Revised:
    """Revisions that were tried, with what is true of them."""

    before: Version
    after: Version
    weights: Numbers
    harms: Flags
    helps: Flags


def revised(cases: Cases) -> _Revised:
    """One revision of each draft that the guiding judge found fault with."""
    simulation = Simulation(cases)
    made = simulation.round(simulation.draft)
    rows = made.tried
    before, after = _of(made.before, rows), _of(made.after, rows)
    weights = simulation.weights[rows]
    rise = score(after.truth, weights) - score(before.truth, weights)
    lost = (before.truth & ~after.truth & (weights >= cases.line)).any(axis=1)
    return _Revised(before, after, weights, harms=(rise < 0) | lost, helps=(rise > 0) & ~lost)


def fared(rule: Parameters, tried: Sequence[_Revised], *, harm_costs: float = HARM_COSTS) -> Fared:
    """The rule over several sets of revisions together."""
    taken = [accepts(rule)(one.before, one.after, one.weights) for one in tried]
    harms, helps = (np.concatenate([getattr(one, name) for one in tried]) for name in ("harms", "helps"))
    accepted = np.concatenate(taken)
    return Fared(rule, mean(accepted[harms]), mean(~accepted[helps]), mean(_gains(accepted, helps, harms, harm_costs)))


def behind(rule: Parameters, best: Parameters, tried: Sequence[_Revised], *, harm_costs: float = HARM_COSTS) -> Mean:
    """How much more utility `best` has than `rule` on the same revisions, taken case by case."""
    apart = [
        _gains(accepts(best)(*case), one.helps, one.harms, harm_costs)
        - _gains(accepts(rule)(*case), one.helps, one.harms, harm_costs)
        for one in tried
        for case in [(one.before, one.after, one.weights)]
    ]
    return mean(np.concatenate(apart))


def ties(rules: Sequence[Fared], tried: Sequence[_Revised], *, harm_costs: float = HARM_COSTS) -> list[Parameters]:
    """The rules that cannot be told from the first, which is the best: taken case by case, the interval holds zero."""
    best, *others = rules
    near = [other.rule for other in others if other.utility.high >= best.utility.low]
    return [rule for rule in near if behind(rule, best.rule, tried, harm_costs=harm_costs).low <= 0.0]


def _gains(accepted: Flags, helps: Flags, harms: Flags, harm_costs: float) -> Numbers:
    return np.where(accepted & helps, 1.0, 0.0) - np.where(accepted & harms, harm_costs, 0.0)


def grid() -> Iterator[Parameters]:
    """Every rule that is tried."""
    return (Parameters(gains, keeps) for gains in GAINS for keeps in LINES)


def tried(*, weights: Sequence[int], trials: int, seed: int) -> list[_Revised]:
    """The revisions that rules are chosen on: every pair of judges with every size of rubric."""
    return [
        revised(
            Cases(
                world=World(),
                guide=guide,
                accept=accept,
                same=guide is accept,
                weights=weights,
                trials=trials,
                criteria=size,
                seed=seed + number,
            )
        )
        for number, size in enumerate(SIZES)
        for guide, accept in PAIRS
    ]


def released(cases: Cases, rule: Parameters = IN_USE) -> Iterator[Released]:
    """What leaves after two rounds where the accepting judge alone, or both, must find that it passes."""
    simulation = Simulation(cases)
    final = simulation.final(accepts(rule))
    right = passes(final.truth, simulation.weights, line=cases.line)
    by_accept = passes(final.accept, simulation.weights, line=cases.line)
    by_guide = passes(final.guide, simulation.weights, line=cases.line)
    demands = (
        {"it passes": by_accept}
        if cases.same
        else {
            "the accepting judge passes it": by_accept,
            "the guiding judge passes it": by_guide,
            "both pass it": by_accept & by_guide,
        }
    )
    for name, leaves in demands.items():
        yield Released(
            cases.guide.name,
            cases.accept.name,
            name,
            mean(leaves & right),
            mean(leaves & ~right),
            mean(~leaves & right),
        )


def mean(values: NDArray[Any]) -> Mean:
    """The mean of a sample and its interval."""
    count = len(values)
    if not count:
        return Mean(math.nan, math.nan, math.nan, 0)
    value = float(values.mean())
    half = _Z * float(values.std()) / math.sqrt(count)
    return Mean(value, value - half, value + half, count)


def _of(version: Version, rows: Flags) -> Version:
    return Version(version.truth[rows], version.guide[rows], version.accept[rows])


def as_json(value: object) -> Any:
    """A record as plain JSON, numbers to four places."""
    plain = asdict(value) if not isinstance(value, dict) else value  # type: ignore[call-overload]
    return _rounded(plain)


def _rounded(value: Any) -> Any:
    match value:
        case float():
            return None if math.isnan(value) else round(value, 4)
        case dict():
            return {name: _rounded(item) for name, item in value.items()}
        case list() | tuple():
            return [_rounded(item) for item in value]
        case _:
            return value
