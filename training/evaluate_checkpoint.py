"""Evaluates a checkpoint on held-out dialogues, as it is served: its GGUF, llama.cpp, greedy.

Held out are the words that fill slots, the wordings of questions, some labelled queries, and, reported apart, some
principles altogether. Needs no torch.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.domain.answer import Candidate
from service.domain.conversation import Message, Role
from service.prompts import edits, rewrite, verdict
from training import gguf, real_questions
from training.dialogues import drafts, library
from training.dialogues.branches import YES, Branch
from training.dialogues.dialogue import Dialogue, Judged, Source
from training.dialogues.drafts import WEAKENED
from training.dialogues.words import Split
from training.intervals import Share, macro_f1, share
from training.llama import Llama
from training.on_topic import on_topic

_REPLY_TOKENS = 320
# What a careless answer would get wrong about this very person.
_COPIED = ("symptom", "medicine", "dose", "reading", "duration", "age")


def evaluate(checkpoint: Path, *, dialogues: int, seed: int, questions: Path | None = None) -> dict[str, Any]:
    """Figures of `dialogues` held-out dialogues, and of as many on principles that training never saw.

    `questions` is a file of real questions, of which the first are asked with the principles that the store finds.
    """
    everything = library.load()
    kept = [p for p in everything.principles if p.is_held_out]
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.gguf"
        digest = gguf.write(checkpoint, path)
        model = Llama(path)
        figures = {
            name: _figures(
                model, Source(everything, library.queries(), seed, Split.HELD_OUT, tuple(principles)), dialogues
            )
            for name, principles in (("trained_principles", everything.trained), ("held_out_principles", kept))
        }
        if questions:
            figures["real_questions"] = real_questions.figures(model, questions, library=everything)
    return {
        "gguf_sha256": digest,
        "seed": seed,
        "engine": "llama.cpp, greedy",
        "held_out": [p.id for p in kept],
        **figures,
    }


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was measured on one dialogue. Lists hold one entry a case."""

    quoted: list[bool]
    copied: list[bool]
    drafted: list[bool]
    on_topic: list[bool]
    verdicts: list[tuple[bool, bool | None, bool]]
    own: list[tuple[bool, bool | None, bool]]
    readable: list[bool]
    mended: list[bool]
    usable: list[bool]
    rewritten: list[bool]
    words: list[int]


def _figures(model: Llama, source: Source, count: int) -> dict[str, Any]:
    outcomes = [_outcome(model, source.dialogue(number)) for number in range(count)]
    cases = [case for outcome in outcomes for case in outcome.verdicts]
    words = sorted(n for outcome in outcomes for n in outcome.words)
    return {
        "dialogues": count,
        "draft_repeats_every_word_of_the_person": _all(o.copied for o in outcomes),
        "draft_says_the_question_back": _all(o.quoted for o in outcomes),
        "draft_sentence_is_on_topic": _all(o.on_topic for o in outcomes),
        "draft_does_a_wanted_criterion": _all(o.drafted for o in outcomes),
        "draft_words_median": words[len(words) // 2] if words else None,
        "verdicts": _verdicts(cases),
        "verdicts_of_the_topic": _verdicts([case for case in cases if case[2]]),
        "verdicts_of_own_drafts": _verdicts([case for outcome in outcomes for case in outcome.own]),
        "edits_can_be_applied": _all(o.readable for o in outcomes),
        "edits_meet_the_target": _all(o.mended for o in outcomes),
        "rewrites_can_be_used": _all(o.usable for o in outcomes),
        "rewrites_meet_the_target": _all(o.rewritten for o in outcomes),
    }


def _all(lists: Iterator[list[bool]]) -> dict[str, object]:
    return share(case for cases in lists for case in cases).to_json()


def _verdicts(cases: Sequence[tuple[bool, bool | None, bool]]) -> dict[str, Any]:
    """An unknown verdict is a wrong one."""
    pairs = [(label, (not label) if said is None else said) for label, said, _ in cases]
    accuracy = share(label is said for label, said in pairs).to_json()
    unknown = Share(sum(said is None for _, said, _ in cases), len(cases)).to_json()
    return {"accuracy": accuracy, "macro_f1": round(macro_f1(pairs), 4) if pairs else None, "unknown": unknown}


def _outcome(model: Llama, dialogue: Dialogue) -> Outcome:
    scene = dialogue.setting.scene
    written = model.reply(dialogue.setting.prompt, most=_REPLY_TOKENS)
    found = Outcome([], [], [], [], [], [], [], [], [], [], [len(written.split())])
    if not scene.fixed:
        expected = [text for slot, text in scene.values.items() if slot in _COPIED]
        found.quoted.append(f'"{scene.quote}"' in written)
        if expected:
            found.copied.append(all(text in written for text in expected))
        found.drafted.extend(_does(written, dialogue, criterion) for criterion in _wanted_of_topic(dialogue))
        found.on_topic.extend(
            on_topic(written, [e for p in dialogue.setting.guide for e in p.exemplars], found=scene.found)
        )
        if not dialogue.setting.duty:  # a duty's words may do what no wording of ours says
            found.own.extend(_judged_own(model, dialogue, written))
    for answer in dialogue.answers:
        for branch in answer.branches:
            _judge(model, dialogue, answer, branch, found)
    return found


def _judged_own(model: Llama, dialogue: Dialogue, written: str) -> Iterator[tuple[bool, bool | None, bool]]:
    """Verdicts on the model's own draft, against the known wordings, on every criterion of the guide."""
    text = Candidate(written, dialogue.setting.duty).text
    for exemplar in (e for p in dialogue.setting.guide for e in p.exemplars):
        criterion = exemplar.criterion
        asked = (*dialogue.setting.prompt, Message(Role.ASSISTANT, text), verdict.instruction(criterion.text))
        label = _does(written, dialogue, criterion.id)
        yield label, verdict.read(model.first_token(asked)).present, criterion.principle_id == dialogue.setting.topic.id


def _wanted_of_topic(dialogue: Dialogue) -> list[str]:
    """What a draft can do for the topic; nothing where the topic had no room among the principles."""
    setting = dialogue.setting
    return [e.criterion.id for e in setting.topic.sayable if setting.topic in setting.guide]


def _judge(model: Llama, dialogue: Dialogue, answer: Judged, branch: Branch, found: Outcome) -> None:
    prompt = (*dialogue.setting.prompt, Message(Role.ASSISTANT, answer.text), branch.instruction)
    match branch.stage:
        case "verdict":
            presence = verdict.read(model.first_token(prompt))
            of_topic = branch.targets[0].startswith(f"{dialogue.setting.topic.id}#")
            found.verdicts.append((branch.reply == YES, presence.present, of_topic))
        case "edits":
            body = _edited(answer.body, model.reply(prompt, most=_REPLY_TOKENS, schema=edits.SCHEMA))
            found.readable.append(body is not None)
            found.mended.extend(body is not None and _meets(body, dialogue, target) for target in branch.targets)
        case _:
            body = _rewritten(model.whole(prompt, most=_REPLY_TOKENS), duty=dialogue.setting.duty)
            found.usable.append(body is not None)
            found.rewritten.extend(body is not None and _meets(body, dialogue, target) for target in branch.targets)


def _edited(body: str, reply: str) -> str | None:
    try:
        return edits.apply(body, edits.read(reply))
    except edits.EditsRejected:
        return None


def _rewritten(reply: str | None, *, duty: str) -> str | None:
    """The new body; None where the gateway would not take it, for it was cut short or is empty."""
    return (rewrite.read(reply, duty=duty) or None) if reply is not None else None


def _meets(body: str, dialogue: Dialogue, target: str) -> bool:
    """Whether the body complies with a target: a wanted thing is done, a forbidden one is not."""
    if target == WEAKENED.id:
        return not any(text in body for text in drafts.WEAKENER.does)
    exemplar = next(e for p in dialogue.setting.guide for e in p.exemplars if e.criterion.id == target)
    return _does(body, dialogue, target) is exemplar.wanted


def _does(body: str, dialogue: Dialogue, criterion: str) -> bool:
    """Whether one of the known wordings stands in the body."""
    exemplar = next(e for p in dialogue.setting.guide for e in p.exemplars if e.criterion.id == criterion)
    return any(text in body for text in exemplar.does)
