"""What a judge and a reviser are asked of a draft, with the right replies."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from service.domain.assessment import Criterion, Polarity
from service.domain.conversation import Message
from service.prompts import edits, rewrite, verdict
from training.dialogues.drafts import WEAKENED, Draft, Line, Writer, is_ambiguous
from training.dialogues.library import Exemplar

YES, NO = "Yes", "No"
_CALLS = re.compile(r"emergency (?:number|services)|ambulance", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Branch:
    """An instruction after the draft, and its reply. `stage` is verdict, edits or rewrite.

    `targets` are criterion ids, `body` is the mended draft.
    """

    stage: str
    instruction: Message
    reply: str
    targets: tuple[str, ...]
    body: str = ""


def verdicts(
    rng: random.Random, draft: Draft, rubric: Sequence[Exemplar], *, duty: bool, count: int
) -> tuple[Branch, ...]:
    """Up to `count` verdicts, Yes as often as No for wanted things, and for forbidden ones where the draft does some.

    Else the polarity, or the look of a good draft, would give the answer away.
    """
    labelled = [(e.criterion, _does(draft, e, duty=duty)) for e in rubric if not is_ambiguous(draft, e)]
    if duty:
        labelled.append((WEAKENED, WEAKENED.id in draft.present))
    rng.shuffle(labelled)
    asked = []
    for polarity, most in ((Polarity.MUST, count), (Polarity.MUST_NOT, max(2, count // 3))):
        yes, no = (
            [(c, label) for c, label in labelled if label is wanted and c.polarity is polarity]
            for wanted in (True, False)
        )
        few = min(len(yes), len(no), most // 2)
        asked += yes[:few] + no[: few + 1]
    rng.shuffle(asked)
    return tuple(
        Branch("verdict", verdict.instruction(c.text), YES if label else NO, (c.id,)) for c, label in asked[:count]
    )


def _does(draft: Draft, exemplar: Exemplar, *, duty: bool) -> bool:
    """A duty always calls for help, so it does what such a criterion wants."""
    called = duty and exemplar.wanted and _CALLS.search(exemplar.criterion.text)
    return bool(called) or exemplar.criterion.id in draft.present


@dataclass(frozen=True, slots=True)
class Mending:
    """A poor draft, what is wished for, the sentence for each missing thing, and the forbidden lines' opposites."""

    draft: Draft
    targets: tuple[Criterion, ...]
    added: tuple[Line, ...]
    opposites: dict[str, Line]

    @property
    def mended(self) -> Draft:
        """The draft as it should read."""
        kept: list[Line] = []
        for line in self.draft.lines:
            if line.does is not None and line.does in self.targets:
                kept += [self.opposites[line.does.id]] if line.does.id in self.opposites else []
            else:
                kept.append(line)
        at = len(kept) - sum(line.closing for line in kept)
        return Draft((*kept[:at], *self.added, *kept[at:]))


def mending(writer: Writer, draft: Draft, rubric: Sequence[Exemplar], *, duty: bool) -> Mending | None:
    """One to four targets among what is missing or forbidden; None when the draft lacks nothing."""
    rng = writer.rng
    wrong = [e for e in rubric if e.wanted is not _does(draft, e, duty=duty)]
    chosen = rng.sample(wrong, min(len(wrong), rng.choice((1, 1, 2, 2, 3, 4))))
    targets = [e.criterion for e in chosen]
    if duty and WEAKENED.id in draft.present:
        targets.insert(0, WEAKENED)
    if not targets:
        return None
    targets.sort(key=lambda c: -c.weight)
    by_id = {e.criterion.id: e for e in chosen}
    added = tuple(writer.adds(by_id[c.id]) for c in targets if c.id in by_id and by_id[c.id].wanted)
    turned = {e.criterion.id: writer.misses(e) for e in chosen if not e.wanted and e.misses and rng.random() < 0.25}
    return Mending(draft, tuple(targets), added, turned)


def edit_branch(task: Mending) -> Branch | None:
    """The fewest edits; None where they would be too many, or a line runs into the next ("under 30.")."""
    wanted, body = _edits(task), task.mended.body
    if not 1 <= len(wanted) <= edits.MAX_EDITS or not _gives(task.draft.body, wanted, body):
        return None
    ask = edits.instruction(task.draft.body, task.targets)
    return Branch("edits", ask, edits.write(wanted), tuple(c.id for c in task.targets), body)


def _gives(before: str, wanted: Sequence[edits.Edit], after: str) -> bool:
    try:
        return edits.apply(before, wanted).split() == after.split()
    except edits.EditsRejected:
        return False


def rewrite_branch(task: Mending) -> Branch:
    """The whole text anew."""
    body = task.mended.body
    return Branch("rewrite", rewrite.instruction(task.targets), body, tuple(c.id for c in task.targets), body)


def _edits(task: Mending) -> list[edits.Edit]:
    found: list[edits.Edit] = []
    number = last = 0
    for line in task.draft.lines:
        first, number = number + 1, number + line.sentences
        if not line.closing:
            last = number
        if line.does is None or line.does not in task.targets:
            continue
        opposite = task.opposites.get(line.does.id)
        found += [edits.Edit(edits.Op.DELETE, n) for n in range(first, number + 1)]
        if opposite:
            found[-line.sentences] = edits.Edit(edits.Op.REPLACE, first, opposite.text)
    if task.added:
        found.append(edits.Edit(edits.Op.INSERT, last, " ".join(line.text for line in task.added)))
    return found
