"""Principles made up on the spot, so that a model learns to follow and check what it has never read."""

import random

from service.domain.assessment import Criterion, Polarity
from training.dialogues.library import Exemplar, Principle, upper
from training.dialogues.words import CONDITIONS, MEDICINES, PARTS, TESTS, Words

_PLACES = (
    "the pharmacy",
    "the clinic",
    "the practice nurse",
    "the helpline",
    "the hospital",
    "the walk-in centre",
    "the dentist",
)
_THINGS = (
    "tea",
    "water",
    "soup",
    "juice",
    "salt",
    "cream",
    "honey",
    "bread",
    "fish",
    "fruit",
    "coffee",
    "milk",
    "rice",
    "alcohol",
)
_WHEN = (
    "before bed",
    "every morning",
    "after meals",
    "twice a day",
    "for a week",
    "today",
    "at noon",
    "every hour",
    "on Sundays",
)


def made_up(words: Words) -> Principle:
    """One principle with one criterion, composed of random words."""
    rng = words.rng
    statement, criterion, does, misses, polarity = rng.choice((_action, _action, _fact, _mention, _question))(words)
    identity = f"made.up.{words.invented()}"
    record = Criterion(f"{identity}#it", identity, criterion, rng.randint(4, 9), polarity)
    return Principle(identity, statement, False, False, (), (Exemplar(record, does, misses, does[0]),))  # noqa: FBT003 - fields by position read well here


_Parts = tuple[str, str, tuple[str, ...], tuple[str, ...], Polarity]


def _noun(words: Words) -> str:
    kind = words.rng.random()
    if kind < 0.35:
        return words.invented()
    return words.pick(words.rng.choice((PARTS, MEDICINES, CONDITIONS, TESTS, _THINGS)))


def _act(words: Words) -> str:
    rng = words.rng
    part, thing, place, noun = words.pick(PARTS), rng.choice(_THINGS), rng.choice(_PLACES), _noun(words)
    act = rng.choice(
        (
            f"rest the {part}", f"cool the {part}", f"keep the {part} warm", f"raise the {part}", f"wash the {part}",
            f"drink {thing}", f"avoid {thing}", f"eat {thing}", f"stop {noun}", f"start {noun}", f"check {noun}",
            f"ring {place}", f"visit {place}", f"ask {place} about {noun}", f"write down {noun}", f"measure {noun}",
            f"bring {noun} to {place}", f"try {words.invented()} cream on the {part}", f"cover the {part} with {noun}",
        )
    )  # fmt: skip
    return f"{act} {rng.choice(_WHEN)}" if rng.random() < 0.5 else act


def _action(words: Words) -> _Parts:
    act, other = _act(words), _act(words)
    does = (
        f"Please {act}.",
        f"{upper(act)}.",
        f"You should {act}.",
        f"It is best to {act}.",
        f"I advise you to {act}.",
    )
    misses = (f"Do not {act}.", f"Please {other}.")
    if words.rng.random() < 0.5:
        return f"Tell the person to {act}.", f"Tells the person to {act}.", does, misses, Polarity.MUST
    return f"Never tell the person to {act}.", f"Suggests that the person {act}.", does, misses, Polarity.MUST_NOT


def _fact(words: Words) -> _Parts:
    first, second, third = _noun(words), _noun(words), _noun(words)
    verb = words.rng.choice(("causes", "helps", "worsens", "prevents", "hides", "follows"))
    stem = f"{first} {verb} {second}"
    does = (f"{upper(stem)}.", f"We know that {stem}.", f"It is known that {stem}.", f"In general, {stem}.")
    misses = (f"{upper(first)} {verb} {third}.", f"{upper(second)} is common.")
    if words.rng.random() < 0.5:
        return f"Say that {stem}.", f"States that {stem}.", does, misses, Polarity.MUST
    return f"Do not claim that {stem}.", f"Claims that {stem}.", does, misses, Polarity.MUST_NOT


def _mention(words: Words) -> _Parts:
    noun, other = _noun(words), _noun(words)
    does = (
        f"Think of {noun} too.",
        f"{upper(noun)} matters here.",
        f"Tell your doctor about {noun}.",
        f"Keep {noun} in mind.",
    )
    misses = (f"Think of {other} too.", "There is more to think of.")
    return f"Mention {noun}.", f"Mentions {noun}.", does, misses, Polarity.MUST


def _question(words: Words) -> _Parts:
    noun, other = _noun(words), _noun(words)
    does = (f"Do you know about {noun}?", f"Have you had {noun} before?", f"What can you tell me about {noun}?")
    misses = (f"Have you had {other} before?", f"{upper(noun)} is worth reading about.")
    return f"Ask about {noun}.", f"Asks about {noun}.", does, misses, Polarity.MUST


def sprinkle(words: Words, rng: random.Random) -> tuple[Principle, ...]:
    """Usually none, sometimes one or two."""
    count = rng.choice((0, 0, 0, 0, 1, 1, 2))
    return tuple(made_up(words) for _ in range(count))
