"""The raw material: principles, and sentences that do and miss each of their criteria, read from two YAML trees."""

import re
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from yaml import CSafeLoader

from service.domain.assessment import Criterion, Polarity

ROOT = Path(__file__).parents[2]
SLOT = re.compile(r"\{([a-z]+)\}")
# What a sentence of an answer says in place of the person's words, which only the opening repeats.
_PLAIN = {
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
_ARTICLE = re.compile(r"\b(the|an?|your|my|first|paired|previous|earlier)\s+\{([a-z]+)\}", re.IGNORECASE)
# Without the person's own number a sentence about one says little.
_NUMBERS = frozenset({"duration", "dose", "reading", "age", "person"})
_WORDINGS = 3
# One principle in this many is never trained on: its figures tell what the model makes of the unknown.
_HELD_OUT_ONE_IN = 18


@dataclass(frozen=True, slots=True)
class Exemplar:
    """A criterion, sentences that do what it names, and sentences on the topic that do not.

    `says` is the one of them that a draft says of its own accord; empty where none fits every question.
    """

    criterion: Criterion
    does: tuple[str, ...]
    misses: tuple[str, ...]
    says: str

    @property
    def wanted(self) -> bool:
        """Whether the answer must do it, rather than must not."""
        return self.criterion.polarity is Polarity.MUST


@dataclass(frozen=True)
class Principle:
    """A principle as training sees it. `questions` hold slots in braces."""

    id: str
    statement: str
    always_on: bool
    red_flag: bool
    questions: tuple[str, ...]
    exemplars: tuple[Exemplar, ...]

    @cached_property
    def sayable(self) -> tuple[Exemplar, ...]:
        """What a draft can do for it, the weightiest first."""
        return tuple(sorted((e for e in self.exemplars if e.wanted and e.says), key=lambda e: -e.criterion.weight))

    @property
    def level(self) -> str:
        """Dimension and level, as in `urgency.emergent`."""
        return self.id.rsplit(".", 1)[0]

    @property
    def is_held_out(self) -> bool:
        """Whether training never sees it. What always applies, or guards a red flag, is always trained on."""
        fixed = self.always_on or self.red_flag
        return not fixed and zlib.crc32(self.id.encode()) % _HELD_OUT_ONE_IN == 0


@dataclass(frozen=True)
class Library:
    """All principles."""

    principles: tuple[Principle, ...]

    @cached_property
    def trained(self) -> tuple[Principle, ...]:
        """Those that training draws from."""
        return tuple(p for p in self.principles if not p.is_held_out)

    @cached_property
    def held_out(self) -> tuple[Principle, ...]:
        """Those that only evaluation sees."""
        return tuple(p for p in self.principles if p.is_held_out)


def load(root: Path = ROOT) -> Library:
    """Reads `principles_store/principles` and `training/exemplars` under `root`.

    Raises:
        ValueError: a principle has no exemplars, or a criterion none.

    """
    exemplars: dict[str, Any] = {}
    for path in sorted((root / "training/exemplars").rglob("*.yaml")):
        exemplars |= _read(path)
    said: dict[str, str] = _read(root / "training/dialogues/said.yaml")
    records = []
    for path in sorted((root / "principles_store/principles").rglob("*.yaml")):
        records += [_principle(entry, exemplars, said) for entry in _read(path)["principles"]]
    return Library(tuple(records))


def queries(root: Path = ROOT) -> dict[str, tuple[str, ...]]:
    """The labelled real-life questions of `principles_store/queries`, by principle id."""
    found: dict[str, list[str]] = {}
    for path in sorted((root / "principles_store/queries").rglob("*.yaml")):
        for entry in _read(path)["queries"]:
            found.setdefault(entry["principle"], []).append(entry["text"].strip())
    return {principle: tuple(texts) for principle, texts in found.items()}


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=CSafeLoader)
    return content


def _principle(entry: dict[str, Any], exemplars: dict[str, Any], said: dict[str, str]) -> Principle:
    identity = entry["id"]
    if identity not in exemplars:
        raise ValueError(f"principle {identity} has no exemplars: add it to training/exemplars")
    raw = exemplars[identity]
    return Principle(
        id=identity,
        statement=entry["statement"].strip(),
        always_on=bool(entry.get("always_on")),
        red_flag=bool(entry.get("red_flag_families")),
        questions=tuple(text.strip() for text in raw["questions"]),
        exemplars=tuple(_exemplar(identity, criterion, raw["criteria"], said) for criterion in entry["criteria"]),
    )


def _exemplar(principle: str, entry: dict[str, Any], raw: dict[str, Any], said: dict[str, str]) -> Exemplar:
    key = entry["id"]
    if key not in raw:
        raise ValueError(f"criterion {key} of principle {principle} has no exemplars: add it to training/exemplars")
    criterion = Criterion(
        id=f"{principle}#{key}",
        principle_id=principle,
        text=entry["text"].strip(),
        weight=int(entry["weight"]),
        polarity=Polarity(entry["polarity"]),
    )
    does, misses = (_plain(raw[key][name]) for name in ("does", "misses"))
    says = said.get(criterion.id, does[0])
    does = tuple(dict.fromkeys(text for text in (says, *does) if text))[:_WORDINGS]
    return Exemplar(criterion, does, misses, says)


def _plain(wordings: list[str]) -> tuple[str, ...]:
    """The wordings without slots; those about a number of the person's own only where there is no other."""
    fitting = [text for text in wordings if not _NUMBERS & set(SLOT.findall(text))] or wordings
    return tuple(upper(SLOT.sub(lambda found: _PLAIN[found[1]], _pointed(text.strip()))) for text in fitting)


def _pointed(wording: str) -> str:
    """Where an article stands before a slot, only the noun fits there: the {test}, the test."""
    return _ARTICLE.sub(lambda found: f"{found[1]} {_PLAIN[found[2]].removeprefix('this ')}", wording)


def upper(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]
