"""The model card: a checkpoint's manifest and figures in, its README out."""

import json
from pathlib import Path
from typing import Any

from training import manifest

_HEAD = """---
license: apache-2.0
language: en
library_name: transformers
---

# clinalign-demo

A demonstration of the ClinAlign Gateway's pipeline, trained from nothing on synthetic text. **It is not for care.** It
has no medical knowledge beyond the sentences that it was taught, and it will say false things in fluent English.

It plays all parts that the gateway asks of a model: it drafts an answer guided by clinical principles, answers Yes or
No to one criterion at a time, and mends a draft by sentence edits or a rewrite. Its chat template is ChatML.

| | |
|---|---|
| Architecture | Qwen3, {layers} layers, width {hidden}, {parameters:,} parameters, tied embeddings, bfloat16 |
| Vocabulary | {vocabulary} tokens, byte-level BPE trained on the same text; GPT-2's pre-tokenizer |
| Context | {context} tokens; training saw paths of about 200 to 700 |
| Training | {steps:,} steps, {tokens:,} tokens, seed {seed}, two CPU cores |
| Licence | Apache-2.0, weights and data |

## Data

Everything was written for this project: the sentences of `training/exemplars`, the principles and three in four
labelled queries of `principles_store`, and the grammar of `training/dialogues`, which fills them with real and invented
words at random. Labels are exact by construction: the generator knows which sentence does which criterion. No patient's
words and no public data set is in it.

## Limits

- It answers in the wording it was taught, in English; in seven other languages it has a stock reply or two.
- It repeats a person's own words only when they are simple: see the first figure below. Real questions are harder
  than synthetic ones, and it then says back half a word, or another.
- It judges sentences of its own kind. On criteria of principles that it never trained on its verdicts are worse than a
  coin (see the last column): it says No. A hospital's own principles need another judge.
- Its rewrites rarely mend what they should; its edits do in most cases.
- It reads principles, not medicine: advice may be out of place for the question, or contradict itself.
- Its rubric and its draft come from the same source, so a high score of its own answers says that the pipeline works,
  not that the answers are good.

## Figures

{engine}; {count} held-out dialogues of each kind, seed {seed_evaluation}. Held out are a tenth of all words that
fill slots, of invented words and of the wordings of questions, and one labelled query in four. In the last column
the topic is one of these principles, which training never drew: {held_out}. Shares with counts and Wilson's 95 %
intervals.

| | trained principles | held-out principles |
|---|---|---|
{rows}

"Does what a criterion wants" counts only the known wordings, so it is a lower bound.

## How it was made

```
make install-training
.venv-training/bin/python -m training.cli sft training/runs/demo-sft.toml
.venv-training/bin/python -m training.cli export training/runs/demo-sft.toml
.venv/bin/clinalign train evaluate --dialogues {count} --seed {seed_evaluation} --write
.venv/bin/python -m training.gguf training/checkpoints/clinalign-demo build/demo.gguf
```

The run of this edition was stopped and resumed while its data was being improved: about 300 steps were drills in
copying only, the drills then ran beside the dialogues, and the number of verdicts a draft grew from four to seven.
From step 2,550 on verdicts were balanced within each polarity, and drills paired statements and criteria with their
sentences. So the same TOML from the start gives a similar checkpoint, not this one.

The last writes the same GGUF to the byte each time; its digest is in `manifest.json`.
"""
_ROWS = (
    ("Draft repeats all the person's own words to the letter", "draft_repeats_every_word_of_the_person"),
    ("Draft does what a criterion of the topic wants", "draft_does_a_wanted_criterion"),
    ("Edits can be read and applied", "edits_can_be_applied"),
    ("A target of the edits is met", "edits_meet_the_target"),
    ("A target of the rewrite is met", "rewrites_meet_the_target"),
)


def publish(checkpoint: Path, figures: dict[str, Any]) -> None:
    """Writes `evaluation.json` and `README.md`, and seals the checkpoint again."""
    facts = manifest.read(checkpoint)
    (checkpoint / "evaluation.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    (checkpoint / "README.md").write_text(card(facts, figures), encoding="utf-8")
    manifest.seal(checkpoint, facts)


def card(facts: dict[str, Any], figures: dict[str, Any]) -> str:
    """The README's text."""
    shape = facts["run"]["shape"]
    return _HEAD.format(
        **shape,
        parameters=facts["parameters"],
        steps=facts["steps"],
        tokens=facts["tokens"],
        seed=facts["run"]["run"]["seed"],
        engine=figures["engine"],
        count=figures["trained_principles"]["dialogues"],
        seed_evaluation=figures["seed"],
        held_out=", ".join(f"`{name}`" for name in figures["held_out"]),
        rows="\n".join(_rows(figures)),
    )


def _rows(figures: dict[str, Any]) -> list[str]:
    columns = [figures["trained_principles"], figures["held_out_principles"]]
    lines = [_row(label, [_share(column[key]) for column in columns]) for label, key in _ROWS]
    for label, key in (
        ("Verdicts on all criteria", "verdicts"),
        ("Verdicts on the topic's criteria", "verdicts_of_the_topic"),
        ("Verdicts on its own drafts", "verdicts_of_own_drafts"),
    ):
        lines.append(_row(f"{label}: accuracy", [_share(column[key]["accuracy"]) for column in columns]))
        lines.append(_row(f"{label}: macro-F1", [f"{column[key]['macro_f1']:.3f}" for column in columns]))
    return lines


def _row(label: str, cells: list[str]) -> str:
    return f"| {label} | {' | '.join(cells)} |"


def _share(entry: dict[str, Any]) -> str:
    if not entry["count"]:
        return "none counted"
    low, high = entry["interval_95"]
    return f"{entry['share']:.3f} ({entry['hits']} of {entry['count']}; {low:.3f} to {high:.3f})"
