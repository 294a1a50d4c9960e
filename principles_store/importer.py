"""Somebody else's principles in (the paper's JSON, whose shape is not known, or YAML of our schema); ours out."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from principles_store.errors import ImportRefused
from principles_store.loading import load_principles
from principles_store.schema import LEVELS, Dimension, Evidence, Principle

# What others may call our fields, likeliest first. The first name that holds something is taken.
NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "id": ("id", "principle_id", "pid", "key", "uid"),
    "title": ("title", "name", "label", "heading"),
    "statement": ("statement", "principle", "principle_text", "text", "description", "content", "guideline"),
    "rationale": ("rationale", "reason", "why", "explanation", "justification"),
    "applies_when": ("applies_when", "when", "condition", "trigger", "situation", "scope", "context"),
    "dimension": ("dimension", "category", "axis", "domain", "type"),
    "level": ("level", "sublevel", "subcategory", "value", "scenario"),
    "criteria": ("criteria", "rubrics", "rubric", "rubric_items", "items", "checks"),
}
CRITERION_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "id": ("id", "criterion_id", "key"),
    "text": ("text", "criterion", "description", "rubric", "content", "statement"),
    "weight": ("weight", "points", "score", "importance"),
    "polarity": ("polarity", "sign"),
}
DIMENSIONS: Final[Mapping[str, Dimension]] = {
    **{dimension.value: dimension for dimension in Dimension},
    "uncertainty_type": Dimension.UNCERTAINTY,
    "user_expertise": Dimension.EXPERTISE,
    "audience": Dimension.EXPERTISE,
    "task": Dimension.TASK_TYPE,
    "tasktype": Dimension.TASK_TYPE,
}
# Other names of our levels; those of HealthBench's physician categories among them.
LEVEL_NAMES: Final[Mapping[Dimension, Mapping[str, str]]] = {
    Dimension.URGENCY: {
        "emergency": "emergent",
        "conditionally_emergent": "urgent",
        "non_emergent": "routine",
        "non_urgent": "routine",
    },
    Dimension.UNCERTAINTY: {
        "no_uncertainty": "none",
        "certain": "none",
        "any_reducible_uncertainty": "reducible",
        "reducible_uncertainty": "reducible",
        "only_irreducible_uncertainty": "irreducible",
        "irreducible_uncertainty": "irreducible",
    },
    Dimension.EXPERTISE: {
        "layperson": "lay",
        "patient": "lay",
        "not_health_professional": "lay",
        "non_professional": "lay",
        "health_professional": "professional",
        "clinician": "professional",
        "expert": "professional",
    },
    Dimension.TASK_TYPE: {},
}
NOT_GIVEN: Final = "Not given in the imported file."
DEFAULT_WEIGHT: Final = 5
_TITLE_WORDS: Final = 6
_CRITERION_ID_WORDS: Final = 4


@dataclass(frozen=True, slots=True)
class Left:
    """Something that was not imported: where it stands in the file, and why."""

    where: str
    reason: str


@dataclass(frozen=True, slots=True)
class Imported:
    """The principles that could be read; how often each foreign field became one of ours; what was left behind.

    `unread_fields` counts fields that we have no place for; `derived` lists ids whose criterion is their own
    statement, because the file gave none.
    """

    principles: tuple[Principle, ...]
    mapped: Mapping[str, int]
    unread_fields: Mapping[str, int]
    derived: tuple[str, ...]
    left: tuple[Left, ...]


@dataclass(slots=True)
class _Notes:
    """What is gathered while a file is read."""

    mapped: Counter[str] = field(default_factory=Counter)
    unread: Counter[str] = field(default_factory=Counter)
    derived: list[str] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where an entry stands, and what the keys above it said of its dimension and level."""

    path: str
    dimension: Dimension | None = None
    level: str | None = None

    def below(self, key: str) -> "_Place":
        """The place one key further down."""
        dimension = dimension_of(key) or self.dimension
        level = level_of(dimension, key) if dimension else None
        return _Place(f"{self.path}.{key}".lstrip("."), dimension, level or self.level)


def read(path: Path) -> Imported:
    """Principles from a JSON file of any shape, or from YAML of our own schema (a file or a folder of them).

    Raises:
        ImportRefused: the file cannot be read, or nothing in it could be mapped.
        InvalidPrinciples: YAML that does not fit the schema.

    """
    if path.is_dir() or path.suffix in {".yaml", ".yml"}:
        return Imported(load_principles(path), mapped={}, unread_fields={}, derived=(), left=())
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ImportRefused(f"{path}: not readable as JSON") from error
    imported = convert(content, source=path.name)
    if not imported.principles:
        reasons = "; ".join(f"{left.where}: {left.reason}" for left in imported.left[:3])
        raise ImportRefused(f"{path}: nothing in it could be read as a principle. {reasons}")
    return imported


def convert(content: Any, *, source: str) -> Imported:
    """Map parsed JSON of whatever shape: lists, objects by id, or objects nested by dimension and level."""
    notes = _Notes()
    found = [_principle(entry, place, source, notes) for entry, place in _entries(content, _Place(""))]
    return Imported(
        principles=tuple(sorted((p for p in found if p), key=lambda principle: principle.id)),
        mapped=dict(notes.mapped),
        unread_fields=dict(notes.unread),
        derived=tuple(notes.derived),
        left=tuple(notes.left),
    )


def dimension_of(name: str) -> Dimension | None:
    """Our dimension of that name, if it is one."""
    return DIMENSIONS.get(_plain(name))


def level_of(dimension: Dimension, name: str) -> str | None:
    """Our level of that name in the dimension, if it is one."""
    plain = _plain(name)
    return plain if plain in LEVELS[dimension] else LEVEL_NAMES[dimension].get(plain)


def weight_and_sign(points: object) -> tuple[int, str]:
    """Points of any size and sign to a weight from 1 to 10 and a polarity; what is no number weighs 5."""
    try:
        number = float(str(points))
    except ValueError:
        return DEFAULT_WEIGHT, "must"
    if number != number or number in (float("inf"), float("-inf")):  # noqa: PLR0124 - only NaN differs from itself
        return DEFAULT_WEIGHT, "must"
    return min(10, max(1, round(abs(number)))), "must_not" if number < 0 else "must"


def _entries(node: Any, place: _Place) -> Iterator[tuple[Mapping[str, Any], _Place]]:
    if isinstance(node, str):
        yield {"statement": node}, place
    elif isinstance(node, list):
        for position, item in enumerate(node):
            yield from _entries(item, _Place(f"{place.path}[{position}]", place.dimension, place.level))
    elif isinstance(node, dict):
        if any(isinstance(node.get(name), str) for name in NAMES["statement"]):
            yield node, place
        else:
            for key, item in node.items():
                if isinstance(item, list | dict) or place.level:
                    yield from _entries(item, place.below(str(key)))


def _principle(entry: Mapping[str, Any], place: _Place, source: str, notes: _Notes) -> Principle | None:
    values, used = _pick(entry, NAMES)
    dimension = dimension_of(str(values.get("dimension", ""))) or place.dimension
    level = (level_of(dimension, str(values.get("level", ""))) or place.level) if dimension else None
    if not dimension or not level:
        said = f"dimension {values.get('dimension')!r}, level {values.get('level')!r}"
        notes.left.append(Left(place.path, f"not one of our dimensions and levels: {said}"))
        return None
    statement = str(values["statement"]).strip()
    title = str(values.get("title") or " ".join(statement.split()[:_TITLE_WORDS]).rstrip(".,;:"))
    principle_id = _unused(f"{dimension}.{level}.{_slug(title)}", notes.taken)
    criteria = _criteria(values.get("criteria"))
    try:
        principle = Principle.model_validate(
            {
                "id": principle_id,
                "title": title,
                "statement": statement,
                "rationale": str(values.get("rationale") or NOT_GIVEN),
                "applies_when": str(values.get("applies_when") or statement),
                "criteria": criteria or [{"id": "statement", "text": statement, "weight": 5, "polarity": "must"}],
                "evidence": (Evidence(name=f"Imported from {source}, {values.get('id') or place.path}"),),
            }
        )
    except ValidationError as error:
        notes.left.append(Left(place.path, f"{error.errors()[0]['loc']}: {error.errors()[0]['msg']}"))
        return None
    notes.mapped.update(f"{theirs} -> {ours}" for ours, theirs in used.items())
    notes.unread.update(set(entry) - set(used.values()))
    if not criteria:
        notes.derived.append(principle_id)
    return principle


def _criteria(given: Any) -> list[dict[str, Any]]:
    """Criteria from strings, or objects with points or a weight and a polarity; those without words are dropped."""
    entries = [given] if isinstance(given, str) else list(given.values()) if isinstance(given, dict) else given or []
    criteria: list[dict[str, Any]] = []
    taken: set[str] = set()
    for entry in entries:
        values, _ = _pick(entry if isinstance(entry, dict) else {"text": str(entry)}, CRITERION_NAMES)
        if text := str(values.get("text", "")).strip():
            weight, sign = weight_and_sign(values.get("weight", DEFAULT_WEIGHT))
            said = _plain(str(values.get("polarity", "")))
            polarity = "must_not" if said in {"must_not", "negative", "avoid"} else sign
            name = _slug(str(values.get("id") or " ".join(text.split()[:_CRITERION_ID_WORDS])))
            criteria.append({"id": _unused(name, taken), "text": text, "weight": weight, "polarity": polarity})
    return criteria


def _pick(entry: Mapping[str, Any], names: Mapping[str, Sequence[str]]) -> tuple[dict[str, Any], dict[str, str]]:
    """The values of our fields, and under which of their names each was found. No name serves two fields."""
    values: dict[str, Any] = {}
    used: dict[str, str] = {}
    for ours, theirs in names.items():
        for name in theirs:
            if name not in used.values() and entry.get(name) not in (None, "", [], {}):
                values[ours], used[ours] = entry[name], name
                break
    return values, used


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _slug(words: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")[:60].strip("-") or "untitled"


def _unused(name: str, taken: set[str]) -> str:
    """The name, or the name with the first number from 2 that makes it new; remembered as taken."""
    chosen, number = name, 2
    while chosen in taken:
        chosen, number = f"{name}-{number}", number + 1
    taken.add(chosen)
    return chosen
