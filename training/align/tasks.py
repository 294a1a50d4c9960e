"""Tasks of the dialogue generator: a dialogue comes in; rows of what its model is asked, with rubrics, go out."""

from collections.abc import Iterator, Mapping

from service.domain.assessment import Criterion
from service.domain.conversation import Message, Role
from training.align.row import APPLIES, QUOTES, RIGHT, Kind, Row
from training.dialogues import drafts
from training.dialogues.branches import Branch
from training.dialogues.dialogue import Dialogue, Judged
from training.dialogues.drafts import WEAKENED
from training.dialogues.library import Exemplar
from training.reward.rubric import Item, Rubric


def of(dialogue: Dialogue, name: str, *, sharp: float = 10.0) -> Iterator[Row]:
    """A draft, and what the dialogue asks of its drafts; nothing where the reply is fixed.

    `sharp` points are for what must be exact: words said back, edits that apply, a verdict.
    """
    setting = dialogue.setting
    if setting.scene.fixed:
        return
    known = {e.criterion.id: e for p in setting.guide for e in p.exemplars}
    yield from _draft(dialogue, name, sharp)
    for place, answer in enumerate(dialogue.answers):
        for at, branch in enumerate(answer.branches):
            prompt = (*setting.prompt, Message(Role.ASSISTANT, answer.text), branch.instruction)
            row = f"{name}#{place}.{at}"
            if branch.stage == "edits":
                yield _edits(row, prompt, answer, branch, known, sharp)
            elif branch.stage == "verdict":
                rubric = Rubric((Item(RIGHT, sharp),))
                yield Row(row, prompt, rubric, {RIGHT: (branch.reply,)}, Kind.VERDICT)


def _draft(dialogue: Dialogue, name: str, sharp: float) -> Iterator[Row]:
    """What the answer is judged by, and all that always applies; the texts are the store's own."""
    guide = dialogue.setting.guide
    judged = {c.id for c in drafts.rubric(guide)}
    asked = [e for p in guide for e in p.exemplars if p.always_on or e.criterion.id in judged]
    exemplars = {e.criterion.text: e for e in asked}
    wordings = {text: e.does for text, e in exemplars.items()}
    items = [Item.of(e.criterion) for e in exemplars.values()]
    if dialogue.setting.scene.quote:
        wordings[QUOTES] = (f'"{dialogue.setting.scene.quote}"',)
        items.append(Item(QUOTES, sharp))
    if any(item.points > 0 for item in items):
        yield Row(name, tuple(dialogue.setting.prompt), Rubric(tuple(items)), wordings)


def _edits(
    name: str,
    prompt: tuple[Message, ...],
    answer: Judged,
    branch: Branch,
    known: Mapping[str, Exemplar],
    sharp: float,
) -> Row:
    """What was to be mended, and what the draft already had and may not lose."""
    asked: dict[str, tuple[Criterion, tuple[str, ...]]] = {}
    for identity, exemplar in known.items():
        had = exemplar.wanted and any(text in answer.body for text in exemplar.does)
        if had or identity in branch.targets:
            asked[exemplar.criterion.text] = (exemplar.criterion, exemplar.does)
    if WEAKENED.id in branch.targets:
        asked[WEAKENED.text] = (WEAKENED, drafts.WEAKENER.does)
    items = (*(Item.of(criterion) for criterion, _ in asked.values()), Item(APPLIES, sharp))
    wordings = {text: does for text, (_, does) in asked.items()}
    return Row(name, prompt, Rubric(items), wordings, Kind.EDITS, answer.body)
