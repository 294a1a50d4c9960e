"""The raw material: principles, and sentences that do and miss each of their criteria, read from two YAML trees."""

import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from service.domain.assessment import Criterion, Polarity

ROOT = Path(__file__).parents[2]
# One principle in this many is never trained on: its figures tell what the model makes of the unknown.
_HELD_OUT_ONE_IN = 18


@dataclass(frozen=True, slots=True)
class Exemplar:
    """A criterion, sentences that do what it names, and sentences on the topic that do not. Slots stand in braces."""

    criterion: Criterion
    does: tuple[str, ...]
    misses: tuple[str, ...]

    @property
    def wanted(self) -> bool:
        """Whether the answer must do it, rather than must not."""
        return self.criterion.polarity is Polarity.MUST


@dataclass(frozen=True, slots=True)
class Principle:
    """A principle as training sees it."""

    id: str
    statement: str
    always_on: bool
    red_flag: bool
    questions: tuple[str, ...]
    exemplars: tuple[Exemplar, ...]

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
        exemplars |= yaml.safe_load(path.read_text(encoding="utf-8"))
    records = []
    for path in sorted((root / "principles_store/principles").rglob("*.yaml")):
        page = yaml.safe_load(path.read_text(encoding="utf-8"))
        records += [_principle(entry, exemplars) for entry in page["principles"]]
    return Library(tuple(records))


def queries(root: Path = ROOT) -> dict[str, tuple[str, ...]]:
    """The labelled real-life questions of `principles_store/queries`, by principle id."""
    found: dict[str, list[str]] = {}
    for path in sorted((root / "principles_store/queries").rglob("*.yaml")):
        for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["queries"]:
            found.setdefault(entry["principle"], []).append(entry["text"].strip())
    return {principle: tuple(texts) for principle, texts in found.items()}


def _principle(entry: dict[str, Any], exemplars: dict[str, Any]) -> Principle:
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
        exemplars=tuple(_exemplar(identity, criterion, raw["criteria"]) for criterion in entry["criteria"]),
    )


def _exemplar(principle: str, entry: dict[str, Any], raw: dict[str, Any]) -> Exemplar:
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
    does, misses = (tuple(text.strip() for text in raw[key][name]) for name in ("does", "misses"))
    return Exemplar(criterion, does, misses)
