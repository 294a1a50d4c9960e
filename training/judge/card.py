"""The shipped judge and its figures come in; a model card of what it is, how well it reads and its limits goes out."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from principles_store.encoder import Encoder
from service.entailment.reader import AnswerReader, JudgeManifest
from service.judge_evaluation.command import JudgeKind, Places, evaluate, read_rows
from training.judge import folds as parted
from training.judge.config import JudgeRun
from training.judge.whole import ACTS, whole_network

FIGURES = "evaluation.json"
LOG = "log.json"  # of the run's folder
_MILLION = 1e6
_WHERE = {"acts": "in answers made of sentences that do or miss some", "drafts": "in the demonstration's drafts"}
CARD = "README.md"


def write_card(config: JudgeRun, data: Path, encoder: Path, folder: Path) -> dict[str, Any]:
    """Measure the judge in the folder and write figures and card beside it."""
    Encoder.load(encoder)  # a card without the cosine's figures would hide a baseline
    places = Places(small=folder, encoder=encoder, gguf=folder)
    rows = read_rows(data / parted.LABELS)
    report, _ = evaluate(JudgeKind.SMALL, rows, places, progress=lambda *_: None)
    shipped, whole = AnswerReader.load(folder), whole_network(config, folder)
    judges = (shipped, whole)
    pairs = [tuple(j.read(r.answer, [r.criterion], question=r.cluster)[0] for j in judges) for r in rows]
    last = json.loads((config.folder / LOG).read_text(encoding="utf-8"))
    figures = {
        "kqa": report.as_dict(),
        "int8_agrees_with_fp32": sum(a.present is b.present for a, b in pairs) / len(pairs),
        "held_out_texts": last,
        "acts": json.loads((config.folder / ACTS).read_text(encoding="utf-8")),
        "int8_bytes": (folder / shipped.manifest.network).stat().st_size,
    }
    (folder / FIGURES).write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    (folder / CARD).write_text("\n".join(_lines(shipped, figures)) + "\n", encoding="utf-8")
    return figures


def _lines(reader: AnswerReader, figures: Mapping[str, Any]) -> Iterator[str]:
    manifest, kqa, texts = reader.manifest, figures["kqa"], figures["held_out_texts"]
    low, high = kqa["macro_f1_interval_95"]
    yield f"# {manifest.name} {manifest.version}"
    yield ""
    yield "Does the answer do this? A MiniLM whose upper layers branch, so that claims read the answer in copies that were"
    yield f"trained ({figures['int8_bytes'] / _MILLION:.1f} MB, int8). It reads an answer and any number of criteria or claims in"
    yield "one pass, and gives each a calibrated probability. English only. It is no medical device: it reads what is said,"
    yield "and does not know whether it is true."
    yield ""
    yield f"- **Reads** overlapping windows of {manifest.answer_tokens} tokens, criteria of up to {manifest.claim_tokens}."
    yield "- **Files**: the network (ONNX), its tokenizer, `manifest.json` with hashes, weights of evidence, threshold."
    yield "- **Made by** `python -m training.judge train|publish|card --data FOLDER` from `training/runs/judge.toml`."
    yield ""
    yield "## Trained on"
    yield ""
    for source in manifest.trained_on:
        yield f"- {source['name']}: {source['licence']}"
    yield ""
    yield "No row of HealthBench or MedSafetyBench was read in training. No physician's label was read by the network, and"
    yield "no question that has one. Weights of evidence were fitted on replies to other questions of K-QA: the replies, and"
    yield "which of their physicians' statements each tells, were written here, by no clinician; the network's logits in this"
    yield "fit are those of networks that had not learnt the question. How much these weights count, and the threshold, were"
    yield f"fitted on {kqa['labels']} labels of {kqa['questions']} questions, in folds. Criteria that name an act (“Advises ...”)"
    yield "have a head of their own, fitted on acts and drafts that were written here, with the logits of networks that had"
    yield f"not learnt their principle.{_band(manifest)}"
    yield ""
    yield "## Figures"
    yield ""
    yield f"Physicians' labels of K-QA, each row by a fit that has not seen its question ({kqa['labelled']} rows,"
    yield f"{kqa['questions']} questions; `clinalign evaluate judge --data kqa_nli_physician_labels.jsonl`):"
    yield ""
    yield "| | Macro-F1 (95 %, by question) |"
    yield "|---|---|"
    yield f"| this judge | {kqa['macro_f1']:.3f} ({low:.3f} to {high:.3f}) |"
    for name, value in kqa["baselines"].items():
        yield f"| {name} | {value['value']:.3f} ({value['low']:.3f} to {value['high']:.3f}) |"
    for name, value in kqa["above"].items():
        yield f"| above {name} | {value['value']:+.3f} ({value['low']:+.3f} to {value['high']:+.3f}) |"
    people = kqa["physicians"]
    yield f"| one physician against another | {people['value']:.3f} ({people['low']:.3f} to {people['high']:.3f}) |"
    yield ""
    yield f"Accuracy {kqa['accuracy']:.3f}, kappa {kqa['kappa']:.3f}, expected calibration error {kqa['ece']:.3f}. int8 and"
    yield f"fp32 say the same in {100 * figures['int8_agrees_with_fp32']:.1f} % of these rows."
    yield ""
    yield "The evidence that each fit weighs was chosen by folds within the rows that it was fitted on: it never saw the"
    yield f"rows that it is reported with. The fit of all rows weighs {', '.join([*manifest.head.weights, *manifest.head.asked])}."
    yield "The list of what may be weighed was settled after figures like these of earlier editions had been seen (seven times;"
    yield "of this edition once, when it was done), so they flatter it somewhat."
    yield ""
    yield f"What each fold held out ({texts['held_out_claims']:.0f} claims), macro-F1 of the logit alone by source:"
    yield (
        ", ".join(f"{name.removeprefix('f1_')} {value:.3f}" for name, value in texts.items() if name.startswith("f1_"))
        + "."
    )
    yield from _acts(figures["acts"])
    yield from _limits(manifest)


def _acts(figures: Mapping[str, Any]) -> Iterator[str]:
    for name, value in figures.items():
        done, undone = (_shares(value, kind) for kind in ("done", "not_done"))
        yield ""
        yield f"Criteria that name an act, {_WHERE[name]}, each by a network and a head that have not"
        yield f"learnt its principle. Of {value['done_found']['count']} that are done: {done}. Of"
        yield f"{value['not_done_found']['count']} that are not: {undone}."


def _shares(figures: Mapping[str, Any], kind: str) -> str:
    said = ("found", "denied", "unknown")
    return ", ".join(f"{name} {100 * figures[f'{kind}_{name}']['share']:.0f} %" for name in said)


def _band(manifest: JudgeManifest) -> str:
    acts = manifest.acts
    if acts is None or acts.untold is None:
        return ""
    return f" From a probability of {acts.untold} to {acts.threshold} it says that it doesn't know."


def _limits(manifest: JudgeManifest) -> Iterator[str]:
    yield ""
    yield "## Limits"
    yield ""
    yield "- Tone, completeness, truth and suitability are beyond it; criteria of many parts are read less well."
    yield "- Of the question it reads only which of a criterion's words were the person's own and so tell little, and that"
    yield f"  can only lower a claim's log-odds, by {manifest.head.doubt:.1f} at most. “Yes, you can” tells it nothing."
    yield "- A number or a negation that is changed within a long sentence can escape it."
    yield "- What it cannot read (another language, a tool call, a very long text) is unknown, and never met."
