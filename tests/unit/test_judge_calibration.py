"""A model judge's calibration: what it does to a verdict, whose it is, how it is fitted, and that it is used."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from service.assembly.judges import judge_engine_of, judges_of
from service.cli.commands import commands
from service.domain.answer import Candidate
from service.domain.assessment import Criterion, Polarity
from service.domain.completion import Ask, Completion, TokenProbability
from service.domain.conversation import Message, Role
from service.domain.errors import SettingsError
from service.domain.verdict import Presence
from service.engines.openai_http import OpenAIEngine
from service.judge_evaluation.asking import Predictions
from service.judge_evaluation.calibrating import calibrate, fit
from service.judge_evaluation.fitting import best_temperature, best_threshold, expected_threshold, folds_of
from service.judge_evaluation.rows import Row
from service.pipeline.judge import ModelJudge
from service.pipeline.judge_calibration import Calibration, Calibrations, checkpoint_of
from service.pipeline.ports import Abilities
from service.prompts.digest import prompts_digest
from service.settings import Settings
from tests.fakes import FakeEngine
from tests.unit.test_small_judge import assessed

probabilities = st.floats(0.0, 1.0)


def calibration(*, threshold: float = 0.7, temperature: float = 1.0, checkpoint: str = "model:fake") -> Calibration:
    return Calibration(
        version="t1",
        checkpoint=checkpoint,
        prompts=prompts_digest(),
        temperature=temperature,
        threshold=threshold,
        labels=3,
        questions=2,
    )


def lenient(ask: Ask) -> Completion:
    """A model that says yes to everything, a little surer of what names water."""
    chance = 0.95 if "water" in ask.prompt.messages[-1].content else 0.6
    return Completion("", "stop", first_token=(TokenProbability("Yes", chance), TokenProbability("No", 1 - chance)))


def rows(count: int = 40) -> tuple[Row, ...]:
    """Two claims about each question, of which physicians say that the first is told."""
    return tuple(
        Row(
            index=at,
            conversation=(Message(Role.USER, f"question {at // 2}"),),
            answer="Drink water.",
            criterion="Drink water." if at % 2 == 0 else "Take an antibiotic.",
            labels=(at % 2 == 0,) * 3,
            cluster=f"question {at // 2}",
            categories=(),
        )
        for at in range(count)
    )


@given(st.floats(0.05, 20.0), probabilities, probabilities)
def test_tempering_keeps_the_order_and_stays_a_probability(temperature: float, one: float, other: float) -> None:
    fitted = calibration(temperature=temperature)
    low, high = sorted((one, other))
    assert 0.0 <= fitted.tempered(low) <= fitted.tempered(high) <= 1.0


def test_a_temperature_of_one_changes_nothing() -> None:
    assert calibration().tempered(0.3) == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("probability", "present"),
    [(0.69, False), (0.71, True), (None, True)],
    ids=["below", "above", "without a probability it stays"],
)
def test_the_fitted_threshold_decides(probability: float | None, *, present: bool) -> None:
    assert calibration().presence(Presence(present=True, probability=probability)).present is present


def test_unknown_stays_unknown() -> None:
    assert calibration().presence(Presence(None)) == Presence(None)


async def test_a_judge_uses_the_calibration_of_its_checkpoint_and_is_then_another() -> None:
    engine = FakeEngine(lenient)
    checkpoint = checkpoint_of(engine.abilities)
    plain = ModelJudge(engine, "m")
    fitted = ModelJudge(engine, "m", Calibrations(calibrations=(calibration(checkpoint=checkpoint),)))
    asked = [Criterion("p#0", "p", text, 5, Polarity.MUST) for text in ("Names water.", "Names an antibiotic.")]
    said = [
        [v.presence.present for v in (await judge.judge(assessed(), Candidate("Drink water."), asked))[0]]
        for judge in (plain, fitted)
    ]
    assert said == [[True, True], [True, False]]
    assert (plain.calibrated, fitted.calibrated) == (False, True)
    assert plain.digest != fitted.digest


@pytest.mark.parametrize("changed", ["checkpoint", "prompts"])
def test_a_calibration_of_another_checkpoint_or_of_other_words_is_not_used(changed: str) -> None:
    engine = FakeEngine(lenient)
    mine = calibration(checkpoint=checkpoint_of(engine.abilities))
    other = mine.model_copy(update={changed: "sha256:another"})
    assert not ModelJudge(engine, "m", Calibrations(calibrations=(other,))).calibrated


def test_a_judge_that_was_not_reached_is_not_calibrated() -> None:
    settings = Settings(judge_upstream="http://127.0.0.1:9/v1")
    engine = judge_engine_of(settings)
    assert isinstance(engine, OpenAIEngine)
    assert not ModelJudge(engine, "m", Calibrations(calibrations=(calibration(),))).calibrated


def test_a_file_keeps_one_calibration_a_checkpoint(tmp_path: Path) -> None:
    kept = Calibrations().with_one(calibration(checkpoint="a")).with_one(calibration(checkpoint="b"))
    kept = kept.with_one(calibration(checkpoint="a", threshold=0.9))
    (path := tmp_path / "c.json").write_text(kept.model_dump_json())
    assert [(each.checkpoint, each.threshold) for each in Calibrations.read(path).calibrations] == [
        ("a", 0.9),
        ("b", 0.7),
    ]


@pytest.mark.parametrize(
    "content",
    [None, "", "{}x", '{"format": 2}', '{"calibrations": [{"version": "1"}]}'],
    ids=["missing", "empty", "no JSON", "a later format", "half a calibration"],
)
def test_a_file_that_is_no_calibration_stops_the_start(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "c.json"
    if content is not None:
        path.write_text(content)
    settings = Settings(judge_calibration=path, judge_upstream="http://127.0.0.1:9/v1", judge="upstream")
    engine = judge_engine_of(settings)
    assert engine is not None
    with pytest.raises(SettingsError, match=r"c\.json"):
        judges_of(settings, engine, engine)


def test_the_setting_gives_every_model_judge_its_calibrations(tmp_path: Path) -> None:
    (path := tmp_path / "c.json").write_text(Calibrations(calibrations=(calibration(),)).model_dump_json())
    settings = Settings(judge_calibration=path, judge_upstream="http://127.0.0.1:9/v1")
    engine = judge_engine_of(settings)
    assert engine is not None
    for judge in judges_of(settings, engine, engine):
        assert isinstance(judge, ModelJudge)
        assert judge.calibrations.calibrations == (calibration(),)


async def test_what_a_lenient_model_says_is_put_right_on_questions_that_the_fit_has_not_seen() -> None:
    engine = FakeEngine(lenient)
    fitted, held = await calibrate(engine, rows(), version="7", progress=lambda *_: None)
    assert (fitted.version, fitted.labels, fitted.questions) == ("7", 120, 20)
    assert held.before.value < 0.4
    assert held.after.value == 1.0
    assert held.gain.low > 0
    assert held.ece_after < held.ece_before


def test_a_judge_whose_odds_know_nothing_is_called_silent() -> None:
    abilities, mine = FakeEngine(lenient).abilities, rows()
    turned = tuple(Presence(present=True, probability=0.9 if at % 3 else 0.6) for at in range(40))
    knows = tuple(Presence(present=True, probability=0.95 - 0.35 * (at % 2)) for at in range(40))
    _, nothing = fit(abilities, mine, Predictions(turned, 1.0), version="1")
    _, something = fit(abilities, mine, Predictions(knows, 1.0), version="1")
    assert (nothing.silent, something.silent) == (True, False)


def test_labels_of_a_fold_change_nothing_of_what_it_is_reported_with() -> None:
    abilities, mine = FakeEngine(lenient).abilities, rows()
    found = Predictions(tuple(Presence(present=True, probability=0.95 - 0.35 * (at % 2)) for at in range(40)), 1.0)
    folds = folds_of([row.cluster for row in mine])
    flipped = [
        Row(r.index, r.conversation, r.answer, r.criterion, tuple(not v for v in r.labels), r.cluster, ())
        if folds[at] == 0
        else r
        for at, r in enumerate(mine)
    ]
    _, sound = fit(abilities, mine, found, version="1")
    _, held = fit(abilities, flipped, found, version="1")
    # Only the flipped fold is told wrong: its labels did not reach the fit that it is judged by.
    wrong = float((folds == 0).mean())
    assert sound.after.value == 1.0
    assert held.after.value == pytest.approx(1 - wrong, abs=0.01)


@pytest.mark.parametrize("count", [2, 19], ids=["one question", "few"])
async def test_too_few_rows_are_refused(count: int) -> None:
    with pytest.raises(SettingsError, match="at least 20"):
        await calibrate(FakeEngine(lenient), rows(count), version="1", progress=lambda *_: None)


async def test_an_engine_without_probabilities_has_no_threshold_to_fit() -> None:
    abilities = Abilities("m", 2048, probabilities=False, json_schema=True, cached_tokens=False)
    with pytest.raises(SettingsError, match="no token probabilities"):
        await calibrate(FakeEngine(lenient, abilities=abilities), rows(), version="1", progress=lambda *_: None)


@given(st.lists(st.tuples(probabilities, st.booleans()), min_size=2, max_size=40))
def test_a_threshold_is_never_worse_than_a_hundredth_below_the_best_cut(pairs: list[tuple[float, bool]]) -> None:
    scores = np.array([score for score, _ in pairs])
    edge = best_threshold(scores, [(label,) for _, label in pairs])
    assert 0.02 <= edge <= 0.98


def test_probabilities_that_are_sure_need_no_labels_to_be_parted() -> None:
    assert 0.1 < expected_threshold(np.array([0.05, 0.1, 0.9, 0.95])) < 0.9


def test_the_temperature_cools_what_is_too_sure_and_leaves_what_is_right() -> None:
    labels = [(True,)] * 7 + [(False,)] * 3
    said = np.array([0.9, 0.8, 0.95, 0.7, 0.4, 0.85, 0.6, 0.5, 0.75, 0.2])
    temperature, _ = best_temperature(said, labels)
    doubled = said**3 / (said**3 + (1 - said) ** 3)
    sharper, _ = best_temperature(doubled, labels)
    assert sharper == pytest.approx(3 * temperature, rel=0.05)


def test_what_leans_to_yes_is_shifted_until_it_agrees_with_the_labels_on_average() -> None:
    labels = [(at % 4 == 0,) for at in range(20)]
    said = np.array([0.9 if at % 4 == 0 else 0.7 + 0.01 * at for at in range(20)])
    temperature, shift = best_temperature(said, labels)
    fitted = calibration(temperature=temperature).model_copy(update={"shift": shift})
    assert np.mean([fitted.tempered(chance) for chance in said.tolist()]) == pytest.approx(0.25, abs=0.01)


def test_clusters_are_never_parted_by_folds() -> None:
    folds = folds_of(["a", "b", "a", "c", "b"], count=2)
    assert folds[0] == folds[2]
    assert folds[1] == folds[4]


def test_the_command_refuses_the_small_judge(tmp_path: Path) -> None:
    data = tmp_path / "rows.jsonl"
    row: dict[str, Any] = {"Question": "q", "answer": "a", "claim": "c", "label_0": "Neutral"}
    data.write_text(json.dumps(row))
    result = CliRunner().invoke(
        commands, ["calibrate", "--data", str(data), "--out", str(tmp_path / "c.json"), "--judge", "small"]
    )
    assert result.exit_code != 0
    assert not (tmp_path / "c.json").exists()
