"""Labelled rows and the name of a judge in; the report out. Knows which judges there are and how they start."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

import orjson

from principles_store.encoder import Encoder
from principles_store.errors import EncoderUnusable
from service.domain.deadline import Deadline
from service.domain.errors import SettingsError
from service.domain.verdict import Presence
from service.engines.embedded import EmbeddedEngine, EmbeddedModel
from service.engines.endpoint import Endpoint
from service.engines.openai_http import OpenAIEngine
from service.entailment.reader import AnswerReader, question_key
from service.judge_evaluation import baselines
from service.judge_evaluation.asking import Predictions, Progress, ask_judge, ask_reader
from service.judge_evaluation.at_once import AtOnceJudge
from service.judge_evaluation.bench import bench
from service.judge_evaluation.report import OtherWay, Provenance, Report, compose
from service.judge_evaluation.rows import Row, read_rows
from service.pipeline.judge import ModelJudge
from service.pipeline.judge_calibration import UNFITTED, Calibrations
from service.pipeline.ports import Engine

_START_S: Final = 60.0
TOGETHER: Final = "one pass for all criteria of an answer"
ALL_AT_ONCE: Final = "one call for all criteria of an answer"
ONE_EACH: Final = "one call a criterion"
Keep = Callable[[Predictions], None]


class JudgeKind(StrEnum):
    """Who judges: our small model, the model that is served, or a model behind a URL."""

    SMALL = "small"
    SELF = "self"
    UPSTREAM = "upstream"


@dataclass(frozen=True, slots=True)
class Places:
    """Where the judges and the store's encoder are."""

    small: Path
    encoder: Path
    gguf: Path
    upstream: str | None = None
    model: str | None = None
    key: str = ""
    calibrations: Calibrations = UNFITTED


def _forget(_: Predictions) -> None:
    """Most callers want the report alone."""


def evaluate(
    kind: JudgeKind, rows: Sequence[Row], places: Places, *, progress: Progress, keep: Keep = _forget
) -> tuple[Report, Predictions]:
    """Judge the rows and measure it. `keep` is handed the predictions as soon as all rows are judged.

    Raises:
        SettingsError: the judge cannot be started.

    """
    if kind is JudgeKind.SMALL:
        return _small(rows, places, progress, keep)
    return asyncio.run(_model(kind, rows, places, progress, keep))


def sample(rows: Sequence[Row], most: int | None) -> tuple[Row, ...]:
    """About so many rows, whole answers at a time, evenly from the file; all where None."""
    if most is None or most >= len(rows):
        return tuple(rows)
    answers = list(dict.fromkeys((row.cluster, row.answer) for row in rows))
    step = max(1, round(len(rows) / most))
    chosen = set(answers[::step])
    return tuple(row for row in rows if (row.cluster, row.answer) in chosen)


def write_predictions(path: Path, rows: Sequence[Row], predictions: Predictions) -> None:
    """JSONL, a line a row: `index` in the file from 0, `present`, `probability`, `unknown`.

    What is unknown is never met, as in the gateway: false with probability 0, so that whoever scores the file needs no
    third value. The probability is null only where a judge gives verdicts without any.

    Raises:
        SettingsError: the file cannot be written.

    """
    lines = [orjson.dumps(_line(row, found)) for row, found in zip(rows, predictions.found, strict=True)]
    try:
        path.write_bytes(b"\n".join(lines) + b"\n")
    except OSError as error:
        raise SettingsError(f"{path}: cannot be written ({type(error).__name__})") from error


def _line(row: Row, found: Presence) -> dict[str, object]:
    unknown = found.present is None
    return {
        "index": row.index,
        "present": found.present is True,
        "probability": 0.0 if unknown else found.probability,
        "unknown": unknown,
    }


def _small(rows: Sequence[Row], places: Places, progress: Progress, keep: Keep) -> tuple[Report, Predictions]:
    reader = AnswerReader.load(places.small)
    predictions = ask_reader(reader, rows, together=True, progress=progress)
    keep(predictions)
    apart = ask_reader(reader, rows, together=False, progress=progress)
    keys = [question_key(row.cluster) for row in rows]
    known = sum(key in reader.manifest.folds for key in keys)
    seen = sum(key in reader.manifest.seen_questions for key in keys)
    report = compose(
        f"{reader.manifest.name}@{reader.manifest.version}",
        rows,
        predictions,
        _baselines(reader, rows, places),
        provenance=Provenance(cross_fitted=known, fresh=len(rows) - known, seen=seen),
        other_way=OtherWay(ONE_EACH, TOGETHER, apart),
        bench=bench(reader),
    )
    return report, predictions


async def _model(
    kind: JudgeKind, rows: Sequence[Row], places: Places, progress: Progress, keep: Keep
) -> tuple[Report, Predictions]:
    engine = engine_of(kind, places)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(engine.aclose)
        await engine.start(Deadline.after(_START_S))
        name = f"{kind}: {engine.abilities.model}"
        judge = ModelJudge(engine, name, places.calibrations)
        predictions = await ask_judge(judge, rows, progress=progress)
        keep(predictions)
        other = await _at_once(engine, name, rows, progress)
    reader = AnswerReader.load(places.small)
    report = compose(name, rows, predictions, _baselines(reader, rows, places), other_way=other)
    return report, predictions


async def _at_once(engine: Engine, name: str, rows: Sequence[Row], progress: Progress) -> OtherWay | None:
    if not engine.abilities.json_schema:
        return None
    found = await ask_judge(AtOnceJudge(engine, name), rows, progress=progress)
    return OtherWay(ALL_AT_ONCE, ONE_EACH, found)


def engine_of(kind: JudgeKind, places: Places) -> EmbeddedEngine | OpenAIEngine:
    """The engine of a model judge, not started.

    Raises:
        SettingsError: the judge is behind a URL, and none was given.

    """
    if kind is JudgeKind.SELF and places.upstream is None:
        return EmbeddedEngine(EmbeddedModel(path=places.gguf))
    if places.upstream is None:
        raise SettingsError("--judge upstream needs --upstream URL")
    return OpenAIEngine(Endpoint(base_url=places.upstream, model=places.model or "", api_key=places.key))


def _baselines(reader: AnswerReader, rows: Sequence[Row], places: Places) -> dict[str, tuple[bool, ...]]:
    """All three; without the exported encoder, no cosine."""
    manifest = reader.manifest
    found = {
        baselines.MAJORITY: baselines.majority(rows),
        baselines.OVERLAP: baselines.by_threshold(rows, baselines.overlapping, baselines.OVERLAP, manifest),
    }
    try:
        score = baselines.cosine(Encoder.load(places.encoder))
    except EncoderUnusable:
        return found
    return found | {baselines.COSINE: baselines.by_threshold(rows, score, baselines.COSINE, manifest)}


__all__ = ["JudgeKind", "Places", "engine_of", "evaluate", "read_rows", "sample", "write_predictions"]
