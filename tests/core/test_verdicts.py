"""Verdicts, scores and the acceptance rule: the arithmetic that decides what leaves."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.assessment import Criterion, Polarity
from service.domain.verdict import Finding, Presence, Verdict, failing, is_better, passes, score

presences = st.sampled_from([Presence(None), Presence(present=True), Presence(present=False)])


@st.composite
def rubrics(draw: st.DrawFn) -> list[Criterion]:
    size = draw(st.integers(1, 8))
    return [
        Criterion(f"p#{n}", "p", "Does it.", draw(st.integers(1, 10)), draw(st.sampled_from(list(Polarity))))
        for n in range(size)
    ]


@st.composite
def judgements(draw: st.DrawFn) -> tuple[list[Verdict], list[Verdict]]:
    rubric = draw(rubrics())
    return [Verdict(c, draw(presences)) for c in rubric], [Verdict(c, draw(presences)) for c in rubric]


def criterion(weight: int = 5, polarity: Polarity = Polarity.MUST, name: str = "a") -> Criterion:
    return Criterion(f"p#{name}", "p", "Does it.", weight, polarity)


def test_a_must_is_met_by_presence_and_a_must_not_by_absence() -> None:
    forbidden = criterion(polarity=Polarity.MUST_NOT)
    assert Verdict(criterion(), Presence(present=True)).finding is Finding.MET
    assert Verdict(criterion(), Presence(present=False)).finding is Finding.UNMET
    assert Verdict(forbidden, Presence(present=True)).finding is Finding.UNMET
    assert Verdict(forbidden, Presence(present=False)).finding is Finding.MET


def test_unknown_is_met_for_neither_polarity() -> None:
    for polarity in Polarity:
        verdict = Verdict(criterion(polarity=polarity), Presence(None))
        assert verdict.finding is Finding.UNKNOWN
        assert not verdict.met


def test_no_verdicts_score_nothing_and_never_pass() -> None:
    assert score([]) == 0.0
    assert not passes([], line=1)


def test_the_failing_come_heaviest_first_and_only_from_the_line_on() -> None:
    verdicts = [Verdict(criterion(w, name=str(w)), Presence(present=False)) for w in (3, 9, 7)]
    assert [v.criterion.weight for v in failing(verdicts, line=7)] == [9, 7]


@pytest.mark.parametrize("presence", [Presence(None), Presence(present=False)], ids=["unknown", "unmet"])
def test_a_rubric_lighter_than_the_line_is_held_to_its_heaviest(presence: Presence) -> None:
    light = Verdict(criterion(2, name="light"), presence)
    assert not passes([light, Verdict(criterion(5), presence)], line=7)
    assert passes([light, Verdict(criterion(5), Presence(present=True))], line=7)


@given(judgements())
def test_a_score_lies_between_0_and_1_and_is_1_only_when_all_is_met(both: tuple[list[Verdict], list[Verdict]]) -> None:
    verdicts, _ = both
    assert 0.0 <= score(verdicts) <= 1.0
    assert (score(verdicts) == 1.0) == all(v.met for v in verdicts)


@given(judgements(), st.integers(1, 10))
def test_meeting_one_more_criterion_never_lowers_a_score_nor_unpasses(
    both: tuple[list[Verdict], list[Verdict]], line: int
) -> None:
    verdicts, _ = both
    for at, verdict in enumerate(verdicts):
        right = verdict.criterion.polarity is Polarity.MUST
        mended = [*verdicts[:at], replace(verdict, presence=Presence(present=right)), *verdicts[at + 1 :]]
        assert score(mended) >= score(verdicts)
        assert passes(mended, line=line) or not passes(verdicts, line=line)


@given(judgements(), st.integers(1, 10))
def test_a_revision_that_is_accepted_scores_more_and_loses_no_weighty_criterion(
    both: tuple[list[Verdict], list[Verdict]], line: int
) -> None:
    before, after = both
    if is_better(after, before, line=line):
        assert score(after) > score(before)
        for old, new in zip(before, after, strict=True):
            assert not (old.met and old.criterion.weight >= line and not new.met)


@given(judgements(), st.integers(1, 10))
def test_no_judgement_is_better_than_itself(both: tuple[list[Verdict], list[Verdict]], line: int) -> None:
    verdicts, _ = both
    assert not is_better(verdicts, verdicts, line=line)


def test_a_revision_that_loses_a_weighty_criterion_is_rejected_though_it_scores_more() -> None:
    heavy, light, other = criterion(8, name="heavy"), criterion(5, name="light"), criterion(5, name="other")
    before = [Verdict(heavy, Presence(present=True)), *(Verdict(c, Presence(present=False)) for c in (light, other))]
    after = [Verdict(heavy, Presence(present=False)), *(Verdict(c, Presence(present=True)) for c in (light, other))]
    assert score(after) > score(before)
    assert not is_better(after, before)
    assert not is_better(after, before, line=7)
    assert is_better(after, before, line=9)


@given(judgements())
def test_a_revision_that_loses_anything_at_all_is_rejected_by_default(
    both: tuple[list[Verdict], list[Verdict]],
) -> None:
    before, after = both
    if any(old.met and not new.met for old, new in zip(before, after, strict=True)):
        assert not is_better(after, before)


@given(judgements(), st.integers(1, 10), st.integers(0, 20))
def test_of_two_judgements_at_most_one_is_better_than_the_other(
    both: tuple[list[Verdict], list[Verdict]], line: int, gain: int
) -> None:
    one, other = both
    assert not (is_better(one, other, line=line, gain=gain) and is_better(other, one, line=line, gain=gain))


@given(judgements(), st.integers(1, 10), st.integers(0, 20), st.randoms())
def test_the_order_of_the_criteria_changes_nothing(
    both: tuple[list[Verdict], list[Verdict]], line: int, gain: int, random: Random
) -> None:
    before, after = both
    mixed = [sorted(side, key=lambda _: random.random()) for side in (before, after)]
    assert score(mixed[0]) == score(before)
    assert passes(mixed[0], line=line) == passes(before, line=line)
    assert {v.criterion.id for v in failing(mixed[0], line=line)} == {
        v.criterion.id for v in failing(before, line=line)
    }
    assert is_better(mixed[1], mixed[0], line=line, gain=gain) == is_better(after, before, line=line, gain=gain)


@given(judgements(), st.integers(1, 10), st.integers(0, 20))
def test_meeting_one_more_criterion_never_makes_a_revision_worse(
    both: tuple[list[Verdict], list[Verdict]], line: int, gain: int
) -> None:
    before, after = both
    for at, verdict in enumerate(after):
        right = Presence(present=verdict.criterion.polarity is Polarity.MUST)
        mended = [*after[:at], replace(verdict, presence=right), *after[at + 1 :]]
        assert is_better(mended, before, line=line, gain=gain) or not is_better(after, before, line=line, gain=gain)


@given(judgements(), st.integers(1, 10))
def test_an_unknown_verdict_is_worth_no_more_than_an_unmet_one(
    both: tuple[list[Verdict], list[Verdict]], line: int
) -> None:
    before, after = both
    unmet = [
        replace(v, presence=Presence(present=v.criterion.polarity is not Polarity.MUST))
        if v.finding is Finding.UNKNOWN
        else v
        for v in after
    ]
    assert score(unmet) == score(after)
    assert passes(unmet, line=line) == passes(after, line=line)
    assert is_better(unmet, before, line=line) == is_better(after, before, line=line)


@given(judgements(), st.integers(1, 20))
def test_a_revision_that_is_accepted_gains_at_least_what_was_asked(
    both: tuple[list[Verdict], list[Verdict]], gain: int
) -> None:
    before, after = both
    if is_better(after, before, gain=gain):
        met = [sum(v.criterion.weight for v in side if v.met) for side in (before, after)]
        assert met[1] - met[0] >= gain
