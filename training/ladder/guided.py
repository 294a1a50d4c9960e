"""Guided revision as the gateway does it, with one served checkpoint: a dialogue in; its answer after each round out.

The checkpoint judges its own draft, mends what it finds unmet at the release line, heaviest first, by edits, and keeps
what it then finds better with nothing lost: the domain's own rules, without the gateway around them.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from service.domain.answer import Candidate
from service.domain.assessment import Criterion
from service.domain.conversation import Message, Role
from service.domain.verdict import Verdict, failing, is_better
from service.prompts import edits, verdict
from training.dialogues.dialogue import Dialogue
from training.gate.rows import Speaks, rubric_of

_REPLY_TOKENS: Final = 320
_LINE: Final = 7


def rounds(model: Speaks, dialogue: Dialogue, *, most: int) -> Iterator[str]:
    """The draft, then the answer after each of `most` rounds; a round that changes nothing gives the same answer."""
    rubric = rubric_of(dialogue)
    body = model.reply(dialogue.setting.prompt, most=_REPLY_TOKENS)
    yield body
    found = _judged(model, dialogue, body, rubric) if most else ()
    for _ in range(most):
        targets = [v.criterion for v in failing(found, line=_LINE)][: edits.MAX_EDITS]
        mended = _mended(model, dialogue, body, targets) if targets else None
        if mended is not None:
            after = _judged(model, dialogue, mended, rubric)
            if is_better(after, found, gain=min(t.weight for t in targets)):
                body, found = mended, after
        yield body


def _judged(model: Speaks, dialogue: Dialogue, body: str, rubric: Sequence[Criterion]) -> tuple[Verdict, ...]:
    said = _said(dialogue, body)
    return tuple(
        Verdict(criterion, verdict.read(model.first_token((*said, verdict.instruction(criterion.text)))))
        for criterion in rubric
    )


def _mended(model: Speaks, dialogue: Dialogue, body: str, targets: Sequence[Criterion]) -> str | None:
    asked = (*_said(dialogue, body), edits.instruction(body, targets))
    try:
        return edits.apply(body, edits.read(model.reply(asked, most=_REPLY_TOKENS, schema=edits.SCHEMA)))
    except edits.EditsRejected:
        return None


def _said(dialogue: Dialogue, body: str) -> tuple[Message, ...]:
    text = Candidate(body, dialogue.setting.duty).text
    return (*dialogue.setting.prompt, Message(Role.ASSISTANT, text))
