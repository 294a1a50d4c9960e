"""The model card: a checkpoint's manifest and figures in, its README out; how it was aligned where a run aligned it."""

import json
from pathlib import Path
from typing import Any

from training.export import manifest

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
| Context | {context} tokens; training saw paths of about 200 to 900 |
| Training | {steps:,} supervised steps, {tokens:,} tokens, seed {seed} |
{before}| Licence | Apache-2.0, weights and data |

## Data

Everything was written for this project: the sentences of `training/exemplars` and `training/dialogues/said.yaml`, the
principles and three in four labelled queries of `principles_store`, and the grammar of `training/dialogues`, which
exchanges words of the questions for real and invented ones at random. Labels are exact by construction: the generator
knows which sentence does which criterion. No patient's words and no public data set is in it.

## What it does

A draft says the question back, to the letter and in quotation marks, and then does what the principles of its prompt
want most, by weight and in their order, and at the end what always applies. All else that they want is left to the
gateway's revisions.

## Limits

- It understands no question. What it says follows from the principles that were retrieved; where those fit badly, so
  does the answer. It asks what the question already says, and says of a medicine only what is true of most.
- It says back the first three sentences of the last message; the rest of a long one it passes over.
- It answers in the wording it was taught, in English; in seven other languages it has a stock reply or two.
- It judges sentences of its own kind. On criteria of principles that it never trained on its verdicts are a good deal
  worse (see the last column). A hospital's own principles need another judge.
- Its rewrites mend less well than its edits.
- Its rubric and its draft come from the same source, so a high score of its own answers says that the pipeline works,
  not that the answers are good.
"""
_FIGURES = """
## Figures

{engine}; {count} held-out dialogues of each kind, seed {seed_evaluation}. Held out are a tenth of all words that
fill slots, of invented words and of the wordings of questions, and one labelled query in four. In the last column
the topic is one of these principles, which training never drew: {held_out}. Shares with counts and Wilson's 95 %
intervals.

| | trained principles | held-out principles |
|---|---|---|
{rows}

"Does what a criterion wants" and "is on topic" count only the known wordings, so they are lower bounds. A sentence is
on topic where a principle of the prompt wants it.
{questions}"""
_ALIGNED = """
## Alignment

{adapters}The run `{run}` (seed {seed}) went on from the weights {base}... by these stages:

| stage | loss | steps | learning rate |
|---|---|---|---|
{stages}

The reward is the weight of a rubric's criteria that an answer meets, less a price of length, and the answer's form
beside it. Rubrics are of the principles in the prompt. What a judge could not read is left out, never scored 0.

{rewards}
"""
_GATED = """
The gate holds the result against the checkpoint whose place it would take, by a judge that gave no reward; publishing
adds what it found below, and its report beside this card.
"""
_OTHER = """---
library_name: transformers
---

# {name}

{base} (weights {digest}...), aligned by the rubric reward of the ClinAlign Gateway. **It is not for care.** What it
knows of medicine is its base's, whose licence holds, and whose chat template it has. `manifest.json` has the digest
of every file beside it.
"""
_OTHER_FIGURES = """
## Figures

None are here. The run's gate holds it against its base (`gate/gate.html` in the run's folder); by itself it is measured
by `clinalign evaluate healthbench --url URL --model NAME`, and a card says nothing of what was not measured.
"""
_UNMEASURED = """
## Figures

Not measured yet: `clinalign train evaluate CHECKPOINT --write` does that.
"""
_MADE = """
## How it was made

Earlier editions are in the repository's history; a run's TOML says which it starts from, and how to get it.

```
{how}
.venv/bin/clinalign train evaluate {asked}--write
.venv/bin/python -m training.gguf training/checkpoints/clinalign-demo build/demo.gguf
```

What the supervised steps leave are the weights with the best score on held-out words, after {steps:,} of {all_steps:,}
steps: the mean of questions said back, draft tokens, verdicts and edit tokens.

The last command writes the same GGUF to the byte each time; its digest is in `manifest.json`.
"""
_SUPERVISED = """make install-training
.venv-training/bin/python -m training.cli sft training/runs/{name}.toml
.venv-training/bin/python -m training.cli export training/runs/{name}.toml"""
_WHOLE = """make install-align
.venv/bin/clinalign train run training/runs/{name}.toml
cp build/training/{name}/export/* build/training/{name}/gate/gate.* training/checkpoints/clinalign-demo/"""
_QUESTIONS = """
On {questions} real questions (K-QA, which it was not trained on), asked with the principles that the store finds:

| | |
|---|---|
{rows}
"""
_QUESTION_ROWS = (
    ("Draft says the question back to the letter", "draft_says_the_question_back"),
    ("What it says back stands in the question to the letter", "what_it_says_back_stands_in_the_question"),
    ("A word that it says back stands in the question", "word_it_says_back_stands_in_the_question"),
    ("A sentence is on topic", "draft_sentence_is_on_topic"),
)
_ROWS = (
    ("Draft says the question back to the letter", "draft_says_the_question_back"),
    ("Draft repeats the person's symptom, medicine and numbers", "draft_repeats_every_word_of_the_person"),
    ("A draft's sentence is on topic", "draft_sentence_is_on_topic"),
    ("Draft does what a criterion of the topic wants", "draft_does_a_wanted_criterion"),
    ("Edits can be read and applied", "edits_can_be_applied"),
    ("A target of the edits is met", "edits_meet_the_target"),
    ("A rewrite can be used: whole, and not empty", "rewrites_can_be_used"),
    ("A target of the rewrite is met", "rewrites_meet_the_target"),
)
_STAGES = {
    "dialogues": "Supervised on whole dialogues",
    "sft": "SFT on the best of several answers",
    "dpo": "DPO, the best answer against the worst",
    "grpo": "GRPO by rubric reward",
}
_SHORT = 12


def write(checkpoint: Path, facts: dict[str, Any], figures: dict[str, Any]) -> None:
    """Writes `evaluation.json` and `README.md`; the manifest is to be sealed after it."""
    (checkpoint / "evaluation.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    (checkpoint / "README.md").write_text(card(facts, figures), encoding="utf-8")


def card(facts: dict[str, Any], figures: dict[str, Any] | None) -> str:
    """The README's text; without figures it says that there are none yet."""
    head = _HEAD.format(
        **facts["run"]["shape"],
        parameters=facts["parameters"],
        steps=facts["steps"],
        tokens=facts["tokens"],
        seed=facts["run"]["run"]["seed"],
        before=_before(manifest.editions(facts)),
    )
    aligned = alignment(facts["aligned"]) + _GATED if "aligned" in facts else ""
    return head + aligned + (_measured(figures) if figures else _UNMEASURED) + _made(facts, figures)


def _before(editions: list[dict[str, Any]]) -> str:
    """Empty for weights that started from nothing."""
    told = "; ".join(map(_edition, editions))
    return f"| Before it | {told} |\n" if told else ""


def _edition(told: dict[str, Any]) -> str:
    if "checkpoint" in told:
        return f"`{told['checkpoint'][: len('sha256-') + _SHORT]}...`: {told['tokens']:,} tokens"
    return told["told"] if "told" in told else f"weights `{told['weights'][:_SHORT]}...` of no manifest"


def other_card(facts: dict[str, Any]) -> str:
    """The README of a result that has not our small form: what it is, and how it was aligned."""
    aligned = facts["aligned"]
    head = _OTHER.format(name=facts["name"], base=facts["base"], digest=aligned["base_weights"][:_SHORT])
    return head + alignment(aligned) + _OTHER_FIGURES


def alignment(aligned: dict[str, Any]) -> str:
    """The section on what SFT, DPO and GRPO by rubric reward made of the base, from the run's own records."""
    run = aligned["run"]
    rows = [_stage(kind, done, run.get(kind, {})) for kind, done in aligned["stages"].items()]
    rewarded = [_reward(kind, aligned["reward"][kind]) for kind in aligned["stages"] if kind in aligned["reward"]]
    return _ALIGNED.format(
        run=run["run"]["name"],
        seed=run["run"]["seed"],
        base=aligned["base_weights"][:_SHORT],
        stages="\n".join(rows),
        rewards="\n".join(rewarded),
        adapters=f"Adapters of rank {run['lora'].get('rank', 16)} were trained. " if "lora" in run else "",
    )


def _stage(kind: str, done: dict[str, Any], options: dict[str, Any]) -> str:
    rate = options.get("learning_rate")
    return _row(_STAGES[kind], [done.get("loss", ""), f"{done['steps']:,}", f"{rate:g}" if rate else "TRL's own"])


def _reward(kind: str, told: dict[str, Any]) -> str:
    """Who judged how much for a stage, and what GRPO's reward came to."""
    counted = f"{told['answers']:,.0f} answers, {told['unjudged']:,.0f} of them unjudged and left out"
    said = f"- {_STAGES[kind]}: {counted}; judge: {told.get('judge', 'not recorded')}."
    if "mean" in told:
        first, last = told["mean"]
        said += f" Mean reward of the first tenth of its steps {first:.3f}, of the last {last:.3f}."
    return said


def _measured(figures: dict[str, Any]) -> str:
    return _FIGURES.format(
        engine=figures["engine"],
        count=figures["trained_principles"]["dialogues"],
        seed_evaluation=figures["seed"],
        held_out=", ".join(f"`{name}`" for name in figures["held_out"]),
        rows="\n".join(_rows(figures)),
        questions=_questions(figures),
    )


def _made(facts: dict[str, Any], figures: dict[str, Any] | None) -> str:
    asked = f"--dialogues {figures['trained_principles']['dialogues']} --seed {figures['seed']} " if figures else ""
    run = facts["aligned"]["run"] if "aligned" in facts else facts["run"]
    return _MADE.format(
        asked=asked,
        how=(_WHOLE if "aligned" in facts else _SUPERVISED).format(name=run["run"]["name"]),
        steps=facts["steps"],
        all_steps=facts["run"]["schedule"]["steps"],
    )


def _questions(figures: dict[str, Any]) -> str:
    """Empty where no real question was asked."""
    if "real_questions" not in figures:
        return ""
    found = figures["real_questions"]
    rows = "\n".join(_row(label, [_share(found[key])]) for label, key in _QUESTION_ROWS)
    return _QUESTIONS.format(questions=found["questions"], rows=rows)


def _rows(figures: dict[str, Any]) -> list[str]:
    columns = [figures["trained_principles"], figures["held_out_principles"]]
    lines = [_row(label, [_share(column.get(key)) for column in columns]) for label, key in _ROWS]
    lines.append(_row("Verdicts that could not be read", [_share(column["verdicts"]["unknown"]) for column in columns]))
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


def _share(entry: dict[str, Any] | None) -> str:
    """Figures of an older edition may lack what is counted now."""
    if not entry or not entry["count"]:
        return "none counted"
    low, high = entry["interval_95"]
    whole = entry["hits"] / entry["count"]  # the share beside it is rounded, and would be rounded twice
    return f"{whole:.3f} ({entry['hits']} of {entry['count']}; {low:.3f} to {high:.3f})"
