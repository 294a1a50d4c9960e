"""A trained network and physicians' labels in; the folder that the gateway loads out, calibrated in folds."""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from principles_store.encoder import Encoder
from service.entailment.calibration import FEATURES, Evidence, Head
from service.entailment.reader import MANIFEST, AnswerReader, JudgeManifest, question_key
from service.judge_evaluation import baselines
from training.judge import folds as parted
from training.judge.asked import as_rows, asked
from training.judge.config import JudgeRun
from training.judge.export import export
from training.judge.fit import fit_heads, fit_thresholds
from training.judge.folds import Folds
from training.judge.network import Reader
from training.judge.train import STATE, start
from training.judge.whole import SMALL

NAME = "clinalign-judge"
_SOURCES = (
    {"name": "all-MiniLM-L6-v2 (first weights)", "licence": "Apache-2.0"},
    {"name": "wordings, replies, relations, exemplars and criteria of this project", "licence": "Apache-2.0"},
    {
        "name": "K-QA: questions, physicians' answers with statements; labels for head and threshold only",
        "licence": "MIT",
    },
    {"name": "MedQuAD (Ben Abacha and Demner-Fushman 2019), sentences of NIH sites", "licence": "CC BY 4.0"},
)


def publish(config: JudgeRun, data: Path, encoder: Path, out: Path) -> JudgeManifest:
    """Export the last state, fit its heads, and write the manifest. The whole-precision network stays in `build`."""
    exported = config.folder / "export"
    files = export(trained(config), exported, tokens=4096)
    labelled = parted.read(data / parted.LABELS)
    folds = Folds.of_questions([row["Question"] for row in labelled], count=config.folds)
    seen = parted.unlabelled(parted.read(data / parted.ANSWERS), folds)
    draft = _manifest(config, files, folds, sorted({question_key(row["Question"]) for row in seen}))
    _write(exported, draft)
    written = as_rows(asked(data), seed=config.seed)
    read = read_rows(AnswerReader.load(exported), [*labelled, *written])
    fitted = fit_heads(labelled, read, folds, written=written)
    cosine = baselines.cosine(Encoder.load(encoder))
    thresholds = {
        name: fit_thresholds(labelled, _scored(score), folds)
        for name, score in ((baselines.OVERLAP, baselines.overlapping), (baselines.COSINE, cosine))
    }
    manifest = draft.model_copy(update={"head": fitted.head, "heads": fitted.heads, "baselines": thresholds})
    out.mkdir(parents=True, exist_ok=True)
    for name in files:
        (out / name).write_bytes((exported / name).read_bytes())
    _write(out, manifest)
    return manifest


def trained(config: JudgeRun) -> Reader:
    """The network of the run's last state."""
    reader, _ = start()
    kept = torch.load(config.folder / STATE, weights_only=True)
    reader.load_state_dict(kept["reader"])
    return reader.eval()


def read_rows(reader: AnswerReader, rows: Sequence[Mapping[str, Any]]) -> Callable[[Mapping[str, Any]], Evidence]:
    """Evidence of every labelled row, by the row itself."""
    found: dict[tuple[str, str, str], Evidence] = {}
    asked_of: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows:
        asked_of[row["Question"], row["answer"]].append(row["claim"])
    for (question, answer), claims in asked_of.items():
        for claim, evidence in zip(claims, reader.evidence(answer, claims, question=question), strict=True):
            if evidence is None:
                raise SystemExit("a labelled row cannot be read: it would be fitted on nothing")
            found[question, answer, claim] = evidence
    return lambda row: found[row["Question"], row["answer"], row["claim"]]


def _scored(score: baselines.Score) -> Callable[[Mapping[str, Any]], float]:
    return lambda row: score(row["claim"], row["answer"])


def _manifest(config: JudgeRun, files: Mapping[str, str], folds: Folds, seen: Sequence[str]) -> JudgeManifest:
    plain = Head.of(dict.fromkeys(FEATURES, 0.0) | {"logit": 1.0}, 0.0, 0.5)
    return JudgeManifest(
        name=NAME,
        version=config.version,
        network=SMALL,
        files=dict(files),
        answer_tokens=config.answer_tokens,
        claim_tokens=config.claim_tokens,
        head=plain,
        folds=dict(folds.of),
        seen_questions=tuple(seen),
        trained_on=_SOURCES,
    )


def _write(folder: Path, manifest: JudgeManifest) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(manifest.model_dump(mode="json"), indent=1)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
