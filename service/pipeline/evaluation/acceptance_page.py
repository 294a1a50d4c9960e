"""The acceptance simulation as a report: JSON, a section of the evaluation page, and its plot."""

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.pipeline.evaluation.acceptance import (
    BEFORE,
    HARM_COSTS,
    IN_USE,
    MEDIUM,
    NO_LINE,
    PAIRS,
    SIZES,
    STRONG,
    WEAK,
    Fared,
    Mean,
    Parameters,
    Released,
    as_json,
    behind,
    fared,
    grid,
    released,
    revised,
    ties,
    tried,
)
from service.pipeline.evaluation.simulation import Cases, JudgeErrors, World

CORRELATIONS = (0.0, 0.3, 0.6, 0.9)
_COSTS = (1.0, HARM_COSTS, 10.0)
_COMPLIED = 0.75
_CHOSEN_ON = 1
_PLOT = "acceptance-judges.svg"


@dataclass(frozen=True, slots=True)
class Report:
    """All that was simulated. `rules` are best first; `second` are harmful revisions accepted by who accepts.

    `ties` are the rules that cannot be told from the best.
    """

    rules: Sequence[Fared]
    ties: Sequence[Parameters]
    to_best: Mean
    second: Sequence[tuple[str, float, Fared]]
    releases: Sequence[Released]
    best_by_cost: Sequence[tuple[float, Fared, Sequence[Parameters]]]
    trials: int
    seed: int

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "rules": [as_json(rule) for rule in self.rules],
            "in_use": as_json(IN_USE),
            "in_use_behind_best": as_json(self.to_best),
            "ties_with_best": [as_json(rule) for rule in self.ties],
            "accepted_by": [{"who": w, "correlation": c, **as_json(f)} for w, c, f in self.second],
            "released": [as_json(release) for release in self.releases],
            "best_by_cost_of_harm": [
                {"cost": c, **as_json(best.rule), "ties": [as_json(rule) for rule in equals]}
                for c, best, equals in self.best_by_cost
            ],
            "trials": self.trials,
            "seed": self.seed,
        }


def simulate_acceptance(
    weights: Sequence[int], *, trials: int, seed: int, guide: JudgeErrors = MEDIUM, accept: JudgeErrors = STRONG
) -> Report:
    """Try every rule; `guide` and `accept` are the judges of the comparison of one judge with two, and of release."""
    cases = tried(weights=weights, trials=trials, seed=seed)
    rules = sorted((fared(rule, cases) for rule in grid()), key=lambda f: -f.utility.value)
    pairs = dict.fromkeys([*PAIRS, (guide, accept)])
    return Report(
        rules=rules,
        ties=ties(rules, cases),
        to_best=behind(IN_USE, rules[0].rule, cases),
        second=list(_second(weights, trials=trials, seed=seed, guide=guide, accept=accept)),
        releases=[
            found
            for one, other in pairs
            for found in released(_cases(weights, one, other, trials=trials, seed=seed, same=one is other))
        ],
        best_by_cost=[(cost, *_best(cases, cost)) for cost in _COSTS],
        trials=trials,
        seed=seed,
    )


def _best(cases: Sequence[Any], cost: float) -> tuple[Fared, Sequence[Parameters]]:
    rules = sorted((fared(rule, cases, harm_costs=cost) for rule in grid()), key=lambda f: -f.utility.value)
    return rules[0], ties(rules, cases, harm_costs=cost)


def _second(
    weights: Sequence[int], *, trials: int, seed: int, guide: JudgeErrors, accept: JudgeErrors
) -> Iterator[tuple[str, float, Fared]]:
    """The guiding judge accepting its own work, beside a second one that errs as often, and the accepting one."""
    own = revised(_cases(weights, guide, guide, trials=trials, seed=seed, same=True))
    yield "the guiding judge itself", 1.0, fared(IN_USE, [own])
    for correlation in CORRELATIONS:
        for who, judge in (("a second one, as good", guide), (f"the accepting one ({accept.name})", accept)):
            made = revised(_cases(weights, guide, judge, trials=trials, seed=seed, correlation=correlation))
            yield who, correlation, fared(IN_USE, [made])


def _cases(
    weights: Sequence[int],
    guide: JudgeErrors,
    accept: JudgeErrors,
    *,
    trials: int,
    seed: int,
    same: bool = False,
    correlation: float = World().correlation,
) -> Cases:
    world = World(correlation=correlation)
    return Cases(world=world, guide=guide, accept=accept, same=same, weights=weights, trials=trials, seed=seed)


def page(report: Report, *, command: str) -> str:
    """The section, in Markdown; its plot is `acceptance-judges.svg` beside it."""
    return "\n".join([*_head(report, command), *_rules(report), *_judges(report), *_release(report), *_limits()]) + "\n"


def _head(report: Report, command: str) -> Iterator[str]:
    kappas = ", ".join(f"{judge.name} {judge.kappa(complied=_COMPLIED):.2f}" for judge in (STRONG, MEDIUM, WEAK))
    chosen = "" if report.seed == _CHOSEN_ON else f"; the rule was chosen on seed {_CHOSEN_ON}"
    yield f"""## Acceptance

```
{command}
```

No model runs here. Drafts, judges that err at known rates, and revisions are drawn by chance (seed
{report.seed}{chosen}), so that the truth is known, and with it what a rule lets through. A revision *harms*
where the true score falls or a criterion of weight 7 or more is truly lost; it *helps* where the true score
rises and none is lost. The utility of a rule is +1 for each helpful revision accepted and -{HARM_COSTS:g} for
each harmful one, per revision tried.

Judges: strong (calls 30 % of what is unmet met, and 11 % of what is met unmet), medium (40 %, 13 %), weak (65
%, 15 %). Their kappas where three criteria in four are met ({kappas}) are those that open models of 120, 20 and
30 (3 active) billion parameters have with physicians. A draft complies with a heavy criterion in 65 %, with a
light one in 85 %; a revision mends 60 % of what it should and breaks 5 % of the rest; a failed mend reads like
a mend in 20 %; two judges make the same error in 30 %. Rubrics of {", ".join(map(str, SIZES))} criteria,
weights as in the shipped principles. {report.trials:,} drafts for each of {len(SIZES) * len(PAIRS)}
combinations. Intervals are 95 %.
"""


def _rules(report: Report) -> Iterator[str]:
    names = {IN_USE: " **(in use)**", BEFORE: " (before)"}
    yield "A revision is accepted where what is met weighs more than before, by at least so many times the lightest of"
    yield "the criteria that were to be mended, and no criterion of the weight named or more is lost:\n"
    yield "| gains at least | loses nothing from weight | harmful accepted | helpful rejected | utility |"
    yield "|---|---|---|---|---|"
    for f in report.rules:
        gains, keeps = _named(f.rule)
        cells = (_share(f.harmful_accepted), _share(f.helpful_rejected), _number(f.utility))
        yield f"| {gains}{names.get(f.rule, '')} | {keeps} | {' | '.join(cells)} |"
    yield from _tied(report)
    yield "\nWhere a harmful revision costs more or less, the best of those tried is:\n"
    yield "| a harm costs | gains at least | loses nothing from weight | utility | a tie with |"
    yield "|---|---|---|---|---|"
    for cost, f, equals in report.best_by_cost:
        row = (*_named(f.rule), _number(f.utility), _list(equals))
        yield f"| {cost:g} helps | {' | '.join(row)} |"


def _tied(report: Report) -> Iterator[str]:
    best = report.rules[0].rule
    if best != IN_USE:
        tie = ": a tie, for the interval holds zero" if IN_USE in report.ties else ""
        behind_best = _number(report.to_best)
        yield f"\nThe rule in use is {behind_best} behind the best of those tried, taken case by case{tie}."
    if others := [rule for rule in report.ties if rule != IN_USE]:
        yield f"\nThe best and these (gains and weight) cannot be told apart case by case, so it is a tie: {_list(others)}."


def _named(rule: Parameters) -> tuple[str, str]:
    keeps = "may lose any" if rule.keeps == NO_LINE else str(rule.keeps)
    return f"{rule.gains:g}" if rule.gains else "anything", keeps


def _list(rules: Sequence[Parameters]) -> str:
    """`1 and 5, anything and may lose any`: each rule's two columns."""
    return ", ".join(" and ".join(_named(rule)) for rule in rules)


def _judges(report: Report) -> Iterator[str]:
    yield "\nWho accepts, with the rule in use and rubrics of ten:\n"
    yield "| accepted by | errors shared with the guiding judge | harmful accepted | helpful rejected | utility |"
    yield "|---|---|---|---|---|"
    for who, correlation, f in report.second:
        shared = "all" if correlation == 1.0 else f"{correlation:.0%}"
        cells = (_share(f.harmful_accepted), _share(f.helpful_rejected), _number(f.utility))
        yield f"| {who} | {shared} | {' | '.join(cells)} |"
    yield f"\n![Harmful revisions accepted, by who accepts]({_PLOT})\n"


def _release(report: Report) -> Iterator[str]:
    yield "What has left after two rounds, of all questions, by what release demands:\n"
    yield "| guides | accepts | released if | rightly released | wrongly released | withheld though right |"
    yield "|---|---|---|---|---|---|"
    for r in report.releases:
        cells = (_share(r.rightly), _share(r.wrongly), _share(r.withheld_though_right))
        yield f"| {r.guide} | {r.accept} | {r.demands} | {' | '.join(cells)} |"


def _limits() -> Iterator[str]:
    yield """
**What it can't do.** The rates are set, not measured: put a judge's own in with `--guide` and `--accept`.
Errors are drawn for each criterion alone, while a real judge's hang together with the subject and the wording.
The rule in use is chosen for a harm that costs three helps; where it costs less or more, another is better, as
the table says. The levels are of this world only. Two things hold beyond it: a judge that accepts what it
guided forgives its own errors, and where judges miss a third of what is unmet, much of what they pass is not
right."""


def _share(m: Mean) -> str:
    return f"{m.value:.1%} ({m.low:.1%} to {m.high:.1%}, n {m.count:,})"


def _number(m: Mean) -> str:
    return f"{m.value:.4f} ({m.low:.4f} to {m.high:.4f})"


def draw(report: Report, folder: Path) -> Path:
    """Harmful revisions accepted over how many errors two judges share; saved as SVG, the same at each run."""
    matplotlib: Any = importlib.import_module("matplotlib")  # only for plots, and in requirements/dev alone
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "clinalign"
    plots: Any = importlib.import_module("matplotlib.pyplot")
    figure, axes = plots.subplots(figsize=(6.4, 3.6))
    itself = next(f for who, correlation, f in report.second if correlation == 1.0)
    axes.axhline(itself.harmful_accepted.value, linestyle="--", color="black", label="the guiding judge itself")
    for who in dict.fromkeys(who for who, correlation, _ in report.second if correlation < 1.0):
        points = [(c, f.harmful_accepted) for name, c, f in report.second if name == who]
        values = [m.value for _, m in points]
        errors = [[m.value - m.low for _, m in points], [m.high - m.value for _, m in points]]
        axes.errorbar([c for c, _ in points], values, yerr=errors, marker="o", capsize=3, label=who)
    axes.set_xlabel("errors that two judges share")
    axes.set_ylabel("harmful revisions accepted")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    path = folder / _PLOT
    figure.savefig(path, metadata={"Date": None}, bbox_inches="tight")
    plots.close(figure)
    return path
