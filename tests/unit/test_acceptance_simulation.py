"""The simulation of acceptance: what is drawn is what was asked for, and its arithmetic is the pipeline's."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from service.domain.answer import Candidate, Judged, RevisionReason
from service.domain.assessment import Criterion, Polarity
from service.domain.verdict import Presence, Verdict
from service.domain.verdict import passes as passes_one
from service.domain.verdict import score as score_one
from service.pipeline.evaluation.acceptance import (
    BEFORE,
    IN_USE,
    MEDIUM,
    NO_LINE,
    STRONG,
    WEAK,
    Parameters,
    accepts,
    behind,
    fared,
    mean,
    released,
    revised,
    tried,
)
from service.pipeline.evaluation.acceptance_page import draw, page, simulate_acceptance
from service.pipeline.evaluation.simulation import Cases, JudgeErrors, Simulation, Version, World, passes, score
from service.pipeline.rounds import acceptance
from tests.needs import needs
from tests.unit.test_orchestrator import GOOD

WEIGHTS = (4, 5, 6, 7, 8, 9, 10)
NEVER = JudgeErrors(name="never errs", misses=0.0, alarms=0.0)
CASES = Cases(world=World(), guide=MEDIUM, accept=STRONG, weights=WEIGHTS, trials=4000)


def verdicts(met: np.ndarray, weights: np.ndarray) -> tuple[Verdict, ...]:
    return tuple(
        Verdict(Criterion(f"p#{n}", "p", "", int(w), Polarity.MUST), Presence(present=bool(m)))
        for n, (m, w) in enumerate(zip(met, weights, strict=True))
    )


def test_judges_err_as_often_as_they_are_said_to() -> None:
    drafts, weights = Simulation(CASES).draft, Simulation(CASES).weights
    assert abs((~drafts.guide[drafts.truth]).mean() - MEDIUM.alarms) < 0.01
    assert abs(drafts.guide[~drafts.truth].mean() - MEDIUM.misses) < 0.02
    assert abs(drafts.truth[weights >= 7].mean() - World().heavy_met) < 0.02


@pytest.mark.parametrize(("judge", "kappa"), [(STRONG, 0.58), (MEDIUM, 0.47), (WEAK, 0.21)], ids=lambda v: str(v)[:6])
def test_the_judges_have_the_kappas_that_open_models_have(judge: JudgeErrors, kappa: float) -> None:
    assert judge.kappa(complied=0.75) == pytest.approx(kappa, abs=0.03)


def test_a_judge_that_never_errs_accepts_no_harm_and_rejects_no_help_that_is_clear() -> None:
    cases = replace(CASES, guide=NEVER, accept=NEVER, same=True, world=World(persuasion=0.0))
    found = fared(Parameters(0.0, 7), [revised(cases)])
    assert found.harmful_accepted.value == 0.0
    assert found.helpful_rejected.value == 0.0


def test_one_judge_reads_the_same_as_itself_and_two_do_not() -> None:
    same = Simulation(replace(CASES, accept=MEDIUM, same=True)).draft
    assert (same.guide == same.accept).all()
    two = Simulation(CASES).draft
    assert not (two.guide == two.accept).all()


def test_the_same_seed_draws_the_same() -> None:
    assert fared(IN_USE, [revised(CASES)]) == fared(IN_USE, [revised(CASES)])
    assert fared(IN_USE, [revised(CASES)]) != fared(IN_USE, [revised(replace(CASES, seed=2))])


def test_scores_passes_and_acceptance_are_those_of_the_pipeline() -> None:
    simulation = Simulation(replace(CASES, trials=300))
    made, weights = simulation.round(simulation.draft), simulation.weights
    taken = accepts(IN_USE)(made.before, made.after, weights)
    for at in range(300):
        before = verdicts(made.before.accept[at], weights[at])
        after = verdicts(made.after.accept[at], weights[at])
        guided = verdicts(made.before.guide[at], weights[at])
        assert score(made.before.accept, weights)[at] == pytest.approx(score_one(before))
        assert passes(made.before.accept, weights, line=7)[at] == passes_one(before, line=7)
        line = min(7, int(weights[at].max()))
        targets = [v for v in guided if not v.met and v.criterion.weight >= line]
        reason = acceptance(Judged(Candidate(GOOD), after), Judged(Candidate(GOOD), before), targets, line=7)
        assert (reason is RevisionReason.BETTER) == bool(taken[at])


def test_the_rule_in_use_is_the_best_of_those_tried_as_far_as_can_be_told() -> None:
    report = simulate_acceptance(WEIGHTS, trials=1500, seed=5)
    assert report.to_best.low <= 0.0
    by_rule = {f.rule: f for f in report.rules}
    assert by_rule[IN_USE].utility.low > by_rule[BEFORE].utility.value
    assert by_rule[IN_USE].harmful_accepted.high < by_rule[BEFORE].harmful_accepted.low
    assert by_rule[Parameters(0.0, NO_LINE)] == report.rules[-1]


def test_a_rule_within_the_interval_of_the_best_is_called_a_tie() -> None:
    report = simulate_acceptance(WEIGHTS, trials=300, seed=5)
    assert report.ties, "so few drafts tell some rules not apart"
    cases = tried(weights=WEIGHTS, trials=300, seed=5)
    best = report.rules[0].rule
    told = {f.rule for f in report.rules[1:]} - set(report.ties)
    assert all(behind(rule, best, cases).low <= 0.0 for rule in report.ties)
    assert all(behind(rule, best, cases).low > 0.0 for rule in told)
    written = page(report, command="x")
    assert "so it is a tie:" in written or "a tie, for the interval holds zero" in written
    assert "| a tie with |" in written


def test_demanding_both_judges_lets_less_through_than_either() -> None:
    accept, guide, both = released(CASES)
    assert both.wrongly.high < min(accept.wrongly.low, guide.wrongly.low)


def test_a_rule_is_not_behind_itself_and_an_empty_sample_has_no_mean() -> None:
    some = tried(weights=WEIGHTS, trials=200, seed=3)
    assert behind(IN_USE, IN_USE, some).value == 0.0
    assert np.isnan(mean(np.array([])).value)


def test_nothing_is_gained_where_nothing_was_to_be_mended() -> None:
    flags, weights = np.ones((1, 2), dtype=np.bool_), np.array([[7.0, 9.0]])
    version = Version(flags, flags, flags)
    assert not accepts(IN_USE)(version, version, weights)[0]


@needs(find_spec("matplotlib"), "plots need matplotlib (requirements/dev.txt)")
def test_the_page_and_the_plot_are_the_same_at_each_run(tmp_path: Path) -> None:
    report = simulate_acceptance(WEIGHTS, trials=200, seed=5)
    written = page(report, command="clinalign evaluate acceptance")
    assert written.startswith("## Acceptance\n")
    assert "clinalign evaluate acceptance" in written
    assert "**(in use)**" in written
    first = draw(report, tmp_path).read_bytes()
    assert draw(report, tmp_path).read_bytes() == first
    assert report.as_dict()["rules"][0]["utility"]["count"] > 0
