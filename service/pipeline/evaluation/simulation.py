"""Drafts, noisy judges of known error rates and revisions, drawn by chance from one seed.

What is true of each criterion is known here, as it never is outside; so it can be counted how often a judge's errors
let a harmful revision through. All arrays are [trial, criterion] unless said otherwise; True is complied with.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Flags = NDArray[np.bool_]
Numbers = NDArray[np.float64]
_HEAVY = 7  # from this weight on an answer's criteria are met less often


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeErrors:
    """How often a judge errs: `misses` of what is not complied with it calls met, `alarms` of what is, unmet."""

    name: str
    misses: float
    alarms: float

    def kappa(self, *, complied: float) -> float:
        """Cohen's kappa against the truth where this share is complied with."""
        agreed = complied * (1 - self.alarms) + (1 - complied) * (1 - self.misses)
        said = complied * (1 - self.alarms) + (1 - complied) * self.misses
        chance = complied * said + (1 - complied) * (1 - said)
        return (agreed - chance) / (1 - chance)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What drafts and revisions are like, each a probability.

    A draft complies with a heavy criterion (weight 7 or more) at `heavy_met`, with another at `light_met`. A revision
    mends what it was asked to at `mends`; it breaks what it was asked to mend in vain (it was complied with already)
    at `breaks_target`, and anything else at `breaks`. Where nothing changed a judge reads as before at `persistence`.
    A mend that failed reads like a mend at `persuasion`, besides the judge's own misses. Two judges make the same
    errors at `correlation`.
    """

    heavy_met: float = 0.65
    light_met: float = 0.85
    mends: float = 0.6
    breaks_target: float = 0.10
    breaks: float = 0.05
    persistence: float = 0.8
    persuasion: float = 0.2
    correlation: float = 0.3


@dataclass(frozen=True, slots=True)
class Version:
    """One version of every answer: the truth, and what the guiding and the accepting judge say of it."""

    truth: Flags
    guide: Flags
    accept: Flags


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """What is simulated. The same seed draws the same drafts and the same luck whatever the judges and rules are.

    `weights` are those that criteria have; each case draws `criteria` of them. `line` is the tenant's. Where the
    guiding judge is the `same` as the accepting one, their readings are one.
    """

    world: World
    guide: JudgeErrors
    accept: JudgeErrors
    weights: Sequence[int]
    same: bool = False
    line: int = 7
    trials: int = 20_000
    criteria: int = 10
    seed: int = 1


# Whether each trial's revision is accepted: of the version before, the one after, and the weights.
Rule = Callable[[Version, Version, Numbers], Flags]


@dataclass(frozen=True, slots=True)
class Round:
    """One revision of every answer that had something to mend (`tried`, one flag a trial)."""

    before: Version
    after: Version
    tried: Flags


class Simulation:
    """The cases, drawn once; `round` and `final` may be asked again and again."""

    def __init__(self, cases: Cases) -> None:
        self.cases = cases
        self._draw = np.random.default_rng(cases.seed)
        shape = (cases.trials, cases.criteria)
        self.weights: Numbers = self._draw.choice(np.asarray(cases.weights, dtype=np.float64), size=shape)
        chance = self._draw.random(shape)
        truth = chance < np.where(self.weights >= _HEAVY, cases.world.heavy_met, cases.world.light_met)
        self.draft = self._read(truth, *self._luck())
        self._rounds = [(self._luck(), self._draw.random((3, *shape))) for _ in range(2)]

    def round(self, before: Version, *, number: int = 0) -> Round:
        """A revision of each answer, aimed at what the guiding judge calls unmet from the line on."""
        world = self.cases.world
        (one, other), (changes, keeps, persuades) = self._rounds[number]
        reached = np.minimum(self.cases.line, self.weights.max(axis=1, keepdims=True))
        targets = ~before.guide & (self.weights >= reached)
        broken = before.truth & (changes < np.where(targets, world.breaks_target, world.breaks))
        mended = ~before.truth & targets & (changes < world.mends)
        truth = (before.truth & ~broken) | mended
        fresh = self._read(truth, one, other)
        as_before = (truth == before.truth) & ~targets & (keeps < world.persistence)
        persuaded = targets & ~truth & (persuades < world.persuasion)
        after = Version(
            truth,
            np.where(as_before, before.guide, fresh.guide | persuaded),
            np.where(as_before, before.accept, fresh.accept | persuaded),
        )
        return Round(before, after, targets.any(axis=1))

    def final(self, rule: Rule, *, rounds: int = 2) -> Version:
        """The version of each answer that stands after the rounds, where the rule accepts or leaves each revision."""
        best = self.draft
        for number in range(rounds):
            made = self.round(best, number=number)
            taken = (made.tried & rule(best, made.after, self.weights))[:, None]
            best = Version(
                np.where(taken, made.after.truth, best.truth),
                np.where(taken, made.after.guide, best.guide),
                np.where(taken, made.after.accept, best.accept),
            )
        return best

    def _luck(self) -> tuple[Numbers, Numbers]:
        """The luck of both judges; the same number for both makes the same error, as far as their rates agree."""
        shape = self.weights.shape
        one, own, shared = self._draw.random((3, *shape))
        correlation = 1.0 if self.cases.same else self.cases.world.correlation
        return one, np.where(shared < correlation, one, own)

    def _read(self, truth: Flags, one: Numbers, other: Numbers) -> Version:
        return Version(truth, _read(truth, self.cases.guide, one), _read(truth, self.cases.accept, other))


def score(met: Flags, weights: Numbers) -> Numbers:
    """The weight of what is met over the weight of all, of each trial: in [0, 1]."""
    total: Numbers = (met * weights).sum(axis=1) / weights.sum(axis=1)
    return total


def passes(met: Flags, weights: Numbers, *, line: int) -> Flags:
    """Whether all from the line on is met, of each trial; the line falls to the heaviest where none is so heavy."""
    reached = np.minimum(line, weights.max(axis=1, keepdims=True))
    passed: Flags = (met | (weights < reached)).all(axis=1)
    return passed


def _read(truth: Flags, judge: JudgeErrors, luck: Numbers) -> Flags:
    wrong = luck < np.where(truth, judge.alarms, judge.misses)
    read: Flags = truth ^ wrong
    return read
