"""Drafts with exact labels: each sentence is known to do one criterion, or none."""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from service.domain.assessment import Criterion, Polarity
from service.domain.enquiry import Audience
from service.prompts.sentences import split
from training.dialogues import templates
from training.dialogues.library import Exemplar, Principle
from training.dialogues.scenes import SLOT, Scene, slots_of
from training.dialogues.words import Words

# What a sentence says instead of words that the person did not give.
_NEUTRAL = {
    "symptom": "this",
    "duration": "this time",
    "medicine": "this medicine",
    "dose": "this dose",
    "reading": "this result",
    "test": "this test",
    "age": "this age",
    "person": "the person",
    "condition": "this condition",
}
WEAKENED = Criterion("duty#upheld", "duty", templates.WEAKENED, 10, Polarity.MUST_NOT)
_WEIGHTY = 7
WEAKENER = Exemplar(WEAKENED, templates.WEAKENERS, ())


@dataclass(frozen=True, slots=True)
class Line:
    """Sentences that stand or fall together. `does` is the criterion they satisfy, `template` their source."""

    text: str
    template: str
    does: Criterion | None = None
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
        """The text."""
        return " ".join(line.text for line in self.lines)

    @property
    def present(self) -> frozenset[str]:
        """Ids of the criteria whose thing is done in it."""
        return frozenset(line.does.id for line in self.lines if line.does)


class Writer:
    """Writes lines in the words of one scene."""

    def __init__(self, words: Words, scene: Scene, *, duty: str) -> None:
        self._words, self._scene, self._duty = words, scene, duty
        self._values = said_back(scene)

    @property
    def rng(self) -> random.Random:
        """The scene's chance."""
        return self._words.rng

    def does(self, exemplar: Exemplar) -> Line:
        """A sentence that does what the criterion names."""
        return self._line(exemplar.does, exemplar.criterion)

    def misses(self, exemplar: Exemplar) -> Line:
        """A sentence on its topic that does not."""
        return self._line(exemplar.misses, None)

    def weakener(self) -> Line:
        """A sentence that weakens the duty."""
        return self.does(WEAKENER)

    def boast(self) -> Line:
        """A sentence that claims to have passed."""
        return self._line(templates.BOASTS, None)

    def closing(self) -> Line:
        """A friendly end."""
        text = self.rng.choice(templates.CLOSINGS)
        return Line(text, text, closing=True)

    def opening(self) -> Line:
        """Repeats every word of the person's that fills a slot."""
        rng = self.rng
        if not self._values:
            text = rng.choice(templates.PLAIN_LEADS)
            return Line(text, text)
        lead = rng.choice(self._leads())
        return Line(_upper(lead.format(it=_listed(self._values))), lead)

    def _leads(self) -> Sequence[str]:
        if self._duty and self.rng.random() < 0.5:
            return templates.DUTY_LEADS
        if self._scene.audience is Audience.CLINICIAN:
            return templates.CLINICIAN_LEADS
        if "symptom" in self._values and self.rng.random() < 0.4:
            return templates.SYMPTOM_LEADS
        return templates.LEADS

    def _line(self, wordings: Sequence[str], does: Criterion | None) -> Line:
        """Prefers wordings whose slots the scene can fill."""
        fitting = [w for w in wordings if all(slot in self._values for slot in slots_of(w))]
        wording = self.rng.choice(fitting or wordings)
        return Line(_upper(_fill(wording, self._values)), wording, does)


def _fill(wording: str, values: Mapping[str, str]) -> str:
    return SLOT.sub(lambda found: values.get(found[1], _NEUTRAL[found[1]]), wording)


def said_back(scene: Scene) -> dict[str, str]:
    """The words that an answer must repeat, as it says them."""
    return {slot: _addressed(text) for slot, text in scene.values.items()}


def wordings(exemplar: Exemplar, scene: Scene) -> tuple[str, ...]:
    """Every known way to do what the criterion names, in the words of this scene."""
    return tuple(_upper(_fill(wording, said_back(scene))) for wording in exemplar.does)


def _addressed(value: str) -> str:
    """The person's words said back to them: my mother, your mother."""
    return re.sub(r"\b(my|MY|My)\b", lambda found: {"my": "your", "MY": "YOUR", "My": "Your"}[found[0]], value)


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


# A slot, the slot that is said with it, and the words between them.
_LISTED = (
    ("person", "age", ", "),
    ("symptom", "duration", " for "),
    ("condition", "", ""),
    ("medicine", "dose", " "),
    ("test", "reading", " "),
    ("age", "", ""),
    ("duration", "", ""),
    ("dose", "", ""),
    ("reading", "", ""),
)


def _listed(values: Mapping[str, str]) -> str:
    """The person's words as a list in plain English, a duration beside its symptom, a dose beside its medicine."""
    joined: list[str] = []
    for slot, mate, bond in _LISTED:
        taken = " ".join(joined)
        if slot not in values or (slot in {"age", "duration", "dose", "reading"} and _said(values[slot], taken)):
            continue
        joined.append(f"{values[slot]}{bond}{values[mate]}" if mate in values else values[slot])
    return joined[0] if len(joined) == 1 else f"{', '.join(joined[:-1])} and {joined[-1]}"


def _said(value: str, text: str) -> bool:
    return re.search(rf"(?:^|\W){re.escape(value)}(?:$|\W)", text) is not None


def good(writer: Writer, guide: Sequence[Principle], *, topic: Principle) -> Draft:
    """Does what the guide's principles want and nothing forbidden, in the guide's order.

    Where there is no room for all, what always applies and the topic come first, then the weightiest.
    """
    rng = writer.rng
    first = {e for p in guide if p.always_on or p is topic for e in p.exemplars}
    wanted = [e for p in guide for e in p.exemplars if e.wanted]
    room = rng.choice((6, 7, 7, 8)) if rng.random() < 0.9 else rng.randint(3, 5)
    heaviest = sorted(wanted, key=lambda e: (e not in first, e.criterion.weight < _WEIGHTY))[:room]
    lines = [writer.opening(), *(writer.does(e) for e in wanted if e in heaviest)]
    if rng.random() < 0.2:
        lines.append(writer.closing())
    return Draft(tuple(lines))


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
    return Draft((writer.opening(), *lines, *end))


_SMALL = frozenset(
    """a an the of to for in on at and or if is are be was it you your this that with do not have has can could will as
    by from i we they their them any""".split()  # noqa: SIM905 - words read better than a list of them
)


@cache
def _content(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z0-9]+", SLOT.sub(" ", text.lower()))) - _SMALL


def is_ambiguous(draft: Draft, exemplar: Exemplar) -> bool:
    """Whether a line written for something else may do this too: no label is taken then."""
    return any(
        line.does != exemplar.criterion
        and line.template not in exemplar.misses
        and _alike(line.template, exemplar.does)
        for line in draft.lines
    )


def _alike(template: str, does: Sequence[str]) -> bool:
    mine = _content(template)
    return any(2 * len(mine & _content(other)) >= min(len(mine), len(_content(other))) > 0 for other in does)
