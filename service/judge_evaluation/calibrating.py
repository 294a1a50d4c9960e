"""A model judge and labelled rows in; its calibration for the checkpoint that answered out, and how well it holds."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from service.domain.errors import SettingsError
from service.domain.verdict import Presence
from service.judge_evaluation.asking import Predictions, Progress, ask_judge
from service.judge_evaluation.fitting import FOLDS, MOST_TEMPERATURE, best_temperature, best_threshold, folds_of
from service.judge_evaluation.measures import Interval, Tally, expected_error, reliability
from service.judge_evaluation.rows import Row
from service.pipeline.judge import ModelJudge
from service.pipeline.judge_calibration import Calibration, checkpoint_of
from service.pipeline.ports import Abilities, Engine
from service.prompts.digest import prompts_digest

_FEWEST = 20
_FEWEST_QUESTIONS = 2


@dataclass(frozen=True, slots=True)
class Held:
    """How the judge does on rows by its own even odds, and by a fit that has not seen their question.

    `silent`: its odds say next to nothing of these rows, so that the fit flattened them as far as it may.
    """

    rows: int
    unreadable: int
    questions: int
    before: Interval
    after: Interval
    gain: Interval
    ece_before: float
    ece_after: float
    silent: bool


async def calibrate(
    engine: Engine, rows: Sequence[Row], *, version: str, progress: Progress
) -> tuple[Calibration, Held]:
    """Ask the started engine about every row that has labels, and fit.

    Raises:
        SettingsError: the engine tells no probabilities, or too few rows could be read.

    """
    if not engine.abilities.probabilities:
        raise SettingsError("the judge's server tells no token probabilities: there is no threshold to fit")
    labelled = [row for row in rows if row.labels]
    found = await ask_judge(ModelJudge(engine, "uncalibrated"), labelled, progress=progress)
    return await asyncio.to_thread(fit, engine.abilities, labelled, found, version=version)


def fit(abilities: Abilities, rows: Sequence[Row], found: Predictions, *, version: str) -> tuple[Calibration, Held]:
    """The calibration of all rows that could be read, and figures in folds by question.

    Raises:
        SettingsError: fewer than twenty rows could be read, or of fewer than two questions.

    """
    read = [(row, each) for row, each in zip(rows, found.found, strict=True) if each.probability is not None]
    chosen = [row for row, _ in read]
    questions = [row.cluster for row in chosen]
    if len(read) < _FEWEST or len(set(questions)) < _FEWEST_QUESTIONS:
        raise SettingsError(f"{len(read)} labelled rows could be read: at least {_FEWEST} of two questions are needed")
    said = [each for _, each in read]
    fitted = _fitted(abilities, chosen, said, version)
    held = _held(abilities, chosen, said, unreadable=len(rows) - len(read), temperature=fitted.temperature)
    return fitted, held


def _fitted(abilities: Abilities, rows: Sequence[Row], said: Sequence[Presence], version: str) -> Calibration:
    chances = np.array([each.probability for each in said], dtype=np.float64)
    labels = [row.labels for row in rows]
    temperature, shift = best_temperature(chances, labels)
    draft = Calibration(
        version=version,
        checkpoint=checkpoint_of(abilities),
        prompts=prompts_digest(),
        temperature=round(temperature, 4),
        shift=round(shift, 4),
        threshold=0.5,
        labels=sum(len(votes) for votes in labels),
        questions=len({row.cluster for row in rows}),
    )
    tempered = np.array([draft.tempered(chance) for chance in chances.tolist()])
    return draft.model_copy(update={"threshold": round(best_threshold(tempered, labels), 4)})


def _held(
    abilities: Abilities, rows: Sequence[Row], said: Sequence[Presence], *, unreadable: int, temperature: float
) -> Held:
    clusters, labels = [row.cluster for row in rows], [row.labels for row in rows]
    folds = folds_of(clusters, count=min(FOLDS, len(set(clusters))))
    after = list(said)
    for fold in sorted(set(folds.tolist())):
        seen = [at for at in range(len(rows)) if folds[at] != fold]
        fitted = _fitted(abilities, [rows[at] for at in seen], [said[at] for at in seen], "fold")
        after = [fitted.presence(said[at]) if folds[at] == fold else each for at, each in enumerate(after)]
    plain, better = (Tally([each.present is True for each in way], labels, clusters) for way in (said, after))
    return Held(
        rows=len(rows),
        unreadable=unreadable,
        questions=len(set(clusters)),
        before=plain.interval(),
        after=better.interval(),
        gain=better.above(plain),
        ece_before=_ece(said, labels),
        ece_after=_ece(after, labels),
        silent=temperature >= MOST_TEMPERATURE,
    )


def _ece(said: Sequence[Presence], labels: Sequence[Sequence[bool]]) -> float:
    return expected_error(reliability([each.probability or 0.0 for each in said], labels))
