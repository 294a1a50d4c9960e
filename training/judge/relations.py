"""Answers made of who is related to what: a claim of the same relation is told, of another or the reverse it is not."""

import random
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import yaml

from training.judge.group import WORDINGS, Group, asides, group, kept_back, reword

# A claim of the second relation is false where only the first was told.
_MISTAKEN = (
    ("causes", "treatments"),
    ("causes", "prevention"),
    ("symptoms", "causes"),
    ("symptoms", "treatments"),
    ("treatments", "causes"),
    ("treatments", "tests"),
    ("prevention", "causes"),
    ("prevention", "symptoms"),
    ("risks", "treatments"),
    ("risks", "prevention"),
    ("tests", "treatments"),
    ("tests", "causes"),
)
_REVERSED = ("causes", "side_effects", "risks", "treatments", "prevention", "symptoms")


@dataclass(frozen=True, slots=True)
class Pair:
    """A subject and its items, each with all its names."""

    relation: str
    subject: tuple[str, ...]
    items: tuple[tuple[str, ...], ...]


@dataclass(slots=True)
class _Telling:
    sentences: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)


@cache
def _pairs() -> tuple[Pair, ...]:
    raw: dict[str, dict[str, list[str]]] = yaml.safe_load((WORDINGS / "relations.yaml").read_text(encoding="utf-8"))
    return tuple(
        Pair(relation, _names(subject), tuple(_names(item) for item in items))
        for relation, table in raw.items()
        for subject, items in table.items()
    )


@cache
def _frames() -> dict[str, dict[str, list[str]]]:
    raw: dict[str, Any] = yaml.safe_load((WORDINGS / "frames.yaml").read_text(encoding="utf-8"))
    return raw


def related(rng: random.Random, *, held_out: bool = False) -> Group:
    """An answer about one to three subjects, which often share a name."""
    known = [pair for pair in _pairs() if kept_back(pair.subject[0]) is held_out]
    first = rng.choice(known)
    pairs = [first]
    for _ in range(rng.choice((0, 1, 1, 2))):
        alike = [p for p in known if p.subject[0] == first.subject[0] or set(p.items) & set(first.items)]
        pairs.append(rng.choice(alike if rng.random() < 0.6 else known))
    pairs = list(dict.fromkeys(pairs))
    tellings = [_tell(rng, pair) for pair in pairs]
    untold = [text for telling in tellings for text in telling.untold]
    told = [text for telling in tellings for text in telling.told]
    untold += _crossed(rng, pairs)
    rng.shuffle(tellings)
    body = " ".join(asides(rng, [" ".join(telling.sentences) for telling in tellings]))
    return group(rng, body, told, untold, "relations")


def _tell(rng: random.Random, pair: Pair) -> _Telling:
    frames, out = _frames()[pair.relation], _Telling()
    items = list(pair.items)
    rng.shuffle(items)
    said = items[: rng.randint(1, max(1, len(items) - 1))]
    denied = [said.pop()] if len(said) > 1 and rng.random() < 0.25 else []
    silent = [item for item in items if item not in said and item not in denied]
    cut = rng.choice((0, len(said), rng.randint(0, len(said))))
    listed, single = said[:cut], said[cut:]
    if len(listed) == 1:
        listed, single = [], said
    if listed:
        out.sentences.append(_fill(rng, rng.choice(frames["lists"]), pair.subject, ("",), items=_listed(rng, listed)))
    out.sentences += [_fill(rng, rng.choice(frames["tells"]), pair.subject, item) for item in single]
    out.sentences += [_fill(rng, rng.choice(frames["denies"]), pair.subject, item) for item in denied]
    out.told += [_fill(rng, rng.choice(frames["claims"]), pair.subject, item) for item in said]
    out.told += [_fill(rng, rng.choice(frames["denials"]), pair.subject, item) for item in denied]
    out.untold += [_fill(rng, rng.choice(frames["claims"]), pair.subject, item) for item in (*silent, *denied)]
    out.untold += [_fill(rng, rng.choice(frames["denials"]), pair.subject, item) for item in rng.sample(said, 1)]
    others = [other for relation, other in _MISTAKEN if relation == pair.relation]
    if others:
        wrong = _frames()[rng.choice(others)]["claims"]
        out.untold.append(_fill(rng, rng.choice(wrong), pair.subject, rng.choice(said)))
    if pair.relation in _REVERSED:
        out.untold.append(_fill(rng, rng.choice(frames["claims"]), rng.choice(said), pair.subject))
    return out


def _crossed(rng: random.Random, pairs: list[Pair]) -> list[str]:
    """Claims that join one subject of the answer with another's item."""
    found = []
    for mine in pairs:
        for other in pairs:
            strange = [item for item in other.items if item not in mine.items]
            if other is not mine and other.relation == mine.relation and strange:
                frame = rng.choice(_frames()[mine.relation]["claims"])
                found.append(_fill(rng, frame, mine.subject, rng.choice(strange)))
    return found


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split("|"))


def _fill(rng: random.Random, frame: str, subject: tuple[str, ...], item: tuple[str, ...], *, items: str = "") -> str:
    s, i = rng.choice(subject), rng.choice(item)
    text = frame.format(s=s, S=s[:1].upper() + s[1:], i=i, I=i[:1].upper() + i[1:], items=items)
    return reword(rng, text, share=0.15)


def _listed(rng: random.Random, items: list[tuple[str, ...]]) -> str:
    names = [rng.choice(item) for item in items]
    if len(names) > 2 and rng.random() < 0.2:
        return "\n- " + "\n- ".join(names) + "\n"
    return f"{', '.join(names[:-1])}{rng.choice((' and ', ', and ', ' or '))}{names[-1]}"
