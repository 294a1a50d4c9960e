"""A trained network and physicians' labels in; the folder that the gateway loads out, calibrated in folds."""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load_file

from principles_store.encoder import Encoder
from service.entailment.calibration import FEATURES, Evidence, Head
from service.entailment.reader import MANIFEST, AnswerReader, JudgeManifest, question_key
from service.judge_evaluation import baselines
from training.judge import folds as parted
from training.judge import learn
from training.judge.acts_head import fit_acts, sight
from training.judge.asked import QUOTED
from training.judge.config import JudgeRun
from training.judge.export import export
from training.judge.fit import Written, fit_heads, fit_thresholds
from training.judge.folds import Folds
from training.judge.group import Group
from training.judge.network import Reader
from training.judge.pools import Sources
from training.judge.train import HELD_OUT, STATE, start
from training.judge.whole import ACTS, SMALL

NAME = "clinalign-judge"
_STATED = ("asked", QUOTED)  # origins of statements; those of acts are the others
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
    reader = AnswerReader.load(exported)
    groups = Sources(config, data, encoder, config.folder / "vectors.npz").judged()
    statements, acts = held_out(reader, groups, config.folder / HELD_OUT)
    (config.folder / ACTS).write_text(json.dumps(sight(acts), indent=1) + "\n", encoding="utf-8")
    fitted = fit_heads(labelled, read_rows(reader, labelled), folds, written=statements)
    cosine = baselines.cosine(Encoder.load(encoder))
    thresholds = {
        name: fit_thresholds(labelled, _scored(score), folds)
        for name, score in ((baselines.OVERLAP, baselines.overlapping), (baselines.COSINE, cosine))
    }
    manifest = draft.model_copy(
        update={"head": fitted.head, "heads": fitted.heads, "acts": fit_acts(acts), "baselines": thresholds}
    )
    out.mkdir(parents=True, exist_ok=True)
    for name in files:
        (out / name).write_bytes((exported / name).read_bytes())
    _write(out, manifest)
    return manifest


def trained(config: JudgeRun) -> Reader:
    """The network as it was trained."""
    reader = start(config)
    learn.load(reader, load_file(config.folder / STATE))
    return reader.eval()


def held_out(
    reader: AnswerReader, groups: Sequence[tuple[Group, int]], kept: Path
) -> tuple[list[Written], list[Written]]:
    """What speaks for claims of replies, and for criteria that name acts, by networks that have not learnt them.

    Nearness is MiniLM's, which was not trained; logits are those that each fold's network gave to what it held out.
    """
    with np.load(kept) as file:
        logits = iter(file["logits"].tolist())
    found: tuple[list[Written], list[Written]] = ([], [])
    for group, fold in groups:
        texts = [claim.text for claim in group.claims]
        read = reader.evidence(group.answer, texts, question=group.question)
        for claim, evidence, logit in zip(group.claims, read, logits, strict=False):
            if evidence is None:
                raise SystemExit("a claim cannot be read: its place would be another's")
            fresh = Written(replace(evidence, logit=logit), claim.told, group.origin, fold)
            found[group.origin not in _STATED].append(fresh)
    return found


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
