"""Drafts with exact labels: each sentence is known to do one criterion, or none."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from service.domain.assessment import Criterion, Polarity
from service.prompts.sentences import split
from training.dialogues import templates
from training.dialogues.library import Exemplar, Principle
from training.dialogues.scenes import Scene

WEAKENED = Criterion("duty#upheld", "duty", templates.WEAKENED, 10, Polarity.MUST_NOT)
WEAKENER = Exemplar(WEAKENED, templates.WEAKENERS, (), "")
# What a draft opens with; then the person's own words in quotation marks, to the letter, and a line's end.
LEAD = "You wrote:"
# An answer is judged by so many criteria, the weightiest.
_CRITERIA = 10


@dataclass(frozen=True, slots=True)
class Line:
    """Sentences that stand or fall together. `does` is the criterion they satisfy."""

    text: str
    does: Criterion | None = None
    opening: bool = False
    closing: bool = False

    @property
    def sentences(self) -> int:
        """How many sentences the grammar counts in it."""
        return len(split(self.text))


@dataclass(frozen=True, slots=True)
class Draft:
    """A body, as its lines."""

    lines: tuple[Line, ...]

    @property
    def body(self) -> str:
        """The text; what repeats the person's words stands on a line of its own."""
        return "".join(line.text + ("\n" if line.opening else " ") for line in self.lines).strip()

    @property
    def present(self) -> frozenset[str]:
        """Ids of the criteria whose thing is done in it."""
        return frozenset(line.does.id for line in self.lines if line.does)


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes lines for one scene."""

    rng: random.Random
    scene: Scene

    def says(self, exemplar: Exemplar) -> Line:
        """The sentence that a draft says of its own accord."""
        return Line(exemplar.says, exemplar.criterion)

    def adds(self, exemplar: Exemplar) -> Line:
        """The sentence that mends a draft where the criterion's thing is missing."""
        return self.says(exemplar) if exemplar.says else Line(exemplar.does[0], exemplar.criterion)

    def does(self, exemplar: Exemplar) -> Line:
        """A sentence that does what the criterion names."""
        return Line(self.rng.choice(exemplar.does), exemplar.criterion)

    def misses(self, exemplar: Exemplar) -> Line:
        """A sentence on its topic that does not."""
        return Line(self.rng.choice(exemplar.misses))

    def weakener(self) -> Line:
        """A sentence that weakens the duty."""
        return self.does(WEAKENER)

    def boast(self) -> Line:
        """A sentence that claims to have passed."""
        return Line(self.rng.choice(templates.BOASTS))

    def closing(self) -> Line:
        """A friendly end."""
        return Line(self.rng.choice(templates.CLOSINGS), closing=True)

    def opening(self) -> tuple[Line, ...]:
        """Repeats the person's own words to the letter, and what a tool found."""
        found = (Line(self.scene.found),) if self.scene.found else ()
        return Line(opening(self.scene.quote), opening=True), *found


def opening(quote: str) -> str:
    """The line that says the person's words back."""
    return f'{LEAD} "{quote}"'


def rubric(guide: Sequence[Principle]) -> tuple[Criterion, ...]:
    """What an answer is judged by: the weightiest criteria of the principles in its prompt."""
    criteria = dict.fromkeys(e.criterion for p in guide for e in p.exemplars)
    return tuple(sorted(criteria, key=lambda c: -c.weight)[:_CRITERIA])


def good(writer: Writer, guide: Sequence[Principle]) -> Draft:
    """The opening, then the wishes that the answer is judged by in the order of their principles.

    The first principle, and those that always apply, have their weightiest wish in any case.
    """
    judged = {c.id for c in rubric(guide)}
    own = [p for p in guide if not p.always_on]
    always = [p for p in guide if p.always_on]
    sure = [p.sayable[0] for p in (*own[:1], *always) if p.sayable]
    wishes = [e for p in (*own, *always) for e in p.sayable if e.criterion.id in judged or e in sure]
    lines = {e.says: writer.says(e) for e in wishes}  # two principles may want the same sentence
    return Draft((*writer.opening(), *lines.values()))


def poor(writer: Writer, guide: Sequence[Principle], *, duty: bool) -> Draft:
    """Leaves out wanted things, does forbidden ones, or both, among sentences that only sound alike."""
    rng = writer.rng
    pool = [e for p in guide for e in p.exemplars]
    wanted, forbidden = [e for e in pool if e.wanted], [e for e in pool if not e.wanted]
    chosen = rng.sample(wanted, min(len(wanted), rng.randint(1, 6)))
    kept = [e for e in wanted if e in chosen]
    done = rng.sample(forbidden, min(len(forbidden), rng.choice((0, 1, 1, 2))))
    near = [e for e in rng.sample(pool, min(len(pool), rng.choice((0, 1, 2)))) if e.misses and e not in done]
    lines = [*(writer.does(e) for e in (*kept, *done)), *(writer.misses(e) for e in near)]
    if duty and rng.random() < 0.35:
        lines.append(writer.weakener())
    if rng.random() < 0.1:
        lines.append(writer.boast())
    if rng.random() < 0.5:
        rng.shuffle(lines)
    end = [writer.closing()] if rng.random() < 0.15 else []
    return Draft((*writer.opening(), *lines, *end))


_SMALL = frozenset(
    """a an the of to for in on at and or if is are be was it you your this that with do not have has can could will as
    by from i we they their them any""".split()  # noqa: SIM905 - words read better than a list of them
)


@cache
def _content(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z0-9]+", text.lower())) - _SMALL


def is_ambiguous(draft: Draft, exemplar: Exemplar) -> bool:
    """Whether a line written for something else may do this too: no label is taken then."""
    return any(
        line.does != exemplar.criterion
        and line.text not in exemplar.misses
        and not line.opening
        and _alike(line.text, exemplar.does)
        for line in draft.lines
    )


def _alike(text: str, does: Sequence[str]) -> bool:
    mine = _content(text)
    return any(2 * len(mine & _content(other)) >= min(len(mine), len(_content(other))) > 0 for other in does)
