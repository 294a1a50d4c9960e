"""Rule files, read and checked: a wrong one stops the start, and the message names the file and the rule."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml

from service.domain.errors import SettingsError

_WITHIN = 15
_WIDEST = 200


class Dismissal(StrEnum):
    """Why words that name a danger do not tell of one: denied, long over, supposed, or asked about in general."""

    NEGATED = "negated"
    PAST = "past"
    CONDITIONAL = "conditional"
    EDUCATIONAL = "educational"


class CueKind(StrEnum):
    """What a cue says about the words near it."""

    NEGATION = "negation"
    NEGATION_ADJACENT = "negation_adjacent"
    NEGATION_AFTER = "negation_after"
    NO_NEGATION = "no_negation"
    LIST = "list"
    TURN = "turn"
    PAST = "past"
    HISTORY = "history"
    PRESENT = "present"
    CONDITIONAL = "conditional"
    WHETHER = "whether"
    EDUCATIONAL = "educational"
    STUDY = "study"
    PERSONAL = "personal"


@dataclass(frozen=True, slots=True)
class Rule:
    """All of these groups of phrases, each at most `within` words from the first's; `within` None: anywhere.

    `stands` names the dismissals that do not touch it.
    """

    id: str
    family: str
    language: str
    groups: tuple[tuple[str, ...], ...]
    within: int | None
    stands: frozenset[Dismissal]


@dataclass(frozen=True, slots=True)
class Family:
    """The rules of one danger; `excepted` are phrases that look like it and are not, by language."""

    name: str
    rules: tuple[Rule, ...]
    excepted: Mapping[str, tuple[str, ...]]
    file: str


@dataclass(frozen=True, slots=True)
class Sources:
    """All that the rules are compiled from."""

    families: tuple[Family, ...]
    lists: Mapping[str, Mapping[str, tuple[str, ...]]]
    cues: Mapping[str, Mapping[CueKind, tuple[str, ...]]]


def read_sources(folders: Iterable[Traversable | Path]) -> Sources:
    """The rules of the folders together: `families/*.yaml`, `words/<language>.yaml`, `cues/<language>.yaml`.

    A later folder adds families, and adds to lists and cues of the same name.

    Raises:
        SettingsError: a file cannot be read or does not fit; the message names file and rule.

    """
    families: dict[str, Family] = {}
    lists: dict[str, dict[str, tuple[str, ...]]] = {}
    cues: dict[str, dict[CueKind, tuple[str, ...]]] = {}
    for folder in folders:
        for file in files(folder, "families"):
            family = _family(read_yaml(file), file=file.name)
            if family.name in families:
                raise SettingsError(f"{file.name}: the family {family.name} is already in {families[family.name].file}")
            families[family.name] = family
        for file in files(folder, "words"):
            _merge(lists.setdefault(_language(file), {}), _phrases_by_name(file, allowed=None))
        for file in files(folder, "cues"):
            found = _phrases_by_name(file, allowed=[kind.value for kind in CueKind])
            _merge(cues.setdefault(_language(file), {}), {CueKind(kind): found[kind] for kind in found})
    return Sources(tuple(families.values()), lists, cues)


def files(folder: Traversable | Path, kind: str) -> list[Traversable | Path]:
    """The YAML files of one kind, by name; none where the folder has no such part."""
    part = folder / kind
    return (
        sorted((f for f in part.iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name) if part.is_dir() else []
    )


def read_yaml(file: Traversable | Path) -> dict[str, Any]:
    """The mapping in a file; every scalar is a string, so that `no` and `1e3` stay words.

    Raises:
        SettingsError: it is not YAML, or not a mapping.

    """
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - it builds strings only
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"{file.name}: cannot be read as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise SettingsError(f"{file.name}: a mapping is expected at the top")
    return content


class _Loader(yaml.BaseLoader):
    """Refuses a key that is given twice, which YAML would let the last one win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - yaml's signature
        keys = [key.value for key, _ in node.value]
        repeated = {str(key) for key in keys if keys.count(key) > 1}
        if repeated:
            raise yaml.constructor.ConstructorError(None, None, f"repeated key {sorted(repeated)}", node.start_mark)
        return super().construct_mapping(node, deep=deep)


def _family(content: Mapping[str, Any], *, file: str) -> Family:
    only(content, {"family", "rules", "except"}, where=file)
    name = content.get("family")
    if not isinstance(name, str) or not name:
        raise SettingsError(f"{file}: `family` must name the family")
    entries = content.get("rules")
    if not isinstance(entries, list) or not entries:
        raise SettingsError(f"{file}: `rules` must be a list of at least one rule")
    rules = tuple(_rule(entry, family=name, where=f"{file}: rule {number}") for number, entry in enumerate(entries, 1))
    ids = [rule.id for rule in rules]
    if repeated := {i for i in ids if ids.count(i) > 1}:
        raise SettingsError(f"{file}: rule ids repeat: {', '.join(sorted(repeated))}")
    excepted = content.get("except", {})
    if not isinstance(excepted, dict):
        raise SettingsError(f"{file}: `except` must give phrases by language")
    return Family(name, rules, {k: texts(v, where=f"{file}: except {k}") for k, v in excepted.items()}, file)


def _rule(entry: object, *, family: str, where: str) -> Rule:
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
        raise SettingsError(f"{where}: a rule is a mapping with an `id`")
    where = f"{where} ({entry['id']})"
    only(entry, {"id", "language", "phrases", "all", "within", "stands"}, where=where)
    if ("phrases" in entry) == ("all" in entry):
        raise SettingsError(f"{where}: give either `phrases` or `all`")
    groups = [entry["phrases"]] if "phrases" in entry else entry["all"]
    if not isinstance(groups, list):
        raise SettingsError(f"{where}: `all` must be a list of lists of phrases")
    return Rule(
        id=entry["id"],
        family=family,
        language=entry.get("language", "en"),
        groups=tuple(texts(group, where=where) for group in groups),
        within=_within(entry.get("within", str(_WITHIN)), where=where),
        stands=_stands(entry.get("stands", []), where=where),
    )


def _within(text: str, *, where: str) -> int | None:
    if text == "conversation":
        return None
    if not text.isdecimal() or not 1 <= int(text) <= _WIDEST:
        raise SettingsError(f"{where}: `within` is `conversation` or a number of words from 1 to {_WIDEST}")
    return int(text)


def _stands(names: object, *, where: str) -> frozenset[Dismissal]:
    if not isinstance(names, list) or not set(names) <= {d.value for d in Dismissal}:
        raise SettingsError(f"{where}: `stands` is a list out of {', '.join(Dismissal)}")
    return frozenset(Dismissal(name) for name in names)


def _phrases_by_name(file: Traversable | Path, *, allowed: Sequence[str] | None) -> dict[str, tuple[str, ...]]:
    content = read_yaml(file)
    if allowed is not None:
        only(content, set(allowed), where=file.name)
    return {name: texts(value, where=f"{file.name}: {name}") for name, value in content.items()}


def _merge(into: dict[Any, tuple[str, ...]], more: Mapping[Any, tuple[str, ...]]) -> None:
    for name, phrases in more.items():
        into[name] = (*into.get(name, ()), *phrases)


def _language(file: Traversable | Path) -> str:
    return file.name.removesuffix(".yaml")


def texts(value: object, *, where: str) -> tuple[str, ...]:
    """At least one phrase: a list, or a text, of phrases parted by commas.

    Raises:
        SettingsError: it is something else.

    """
    entries = [value] if isinstance(value, str) else value
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, str) for entry in entries):
        raise SettingsError(f"{where}: phrases are expected, parted by commas or as a list")
    phrases = tuple(phrase.strip() for entry in entries for phrase in entry.split(","))
    if not all(phrases):
        raise SettingsError(f"{where}: there is an empty phrase")
    return phrases


def only(content: Mapping[str, Any], allowed: set[str], *, where: str) -> None:
    """Let no key pass that is not known.

    Raises:
        SettingsError: there is one.

    """
    if unknown := sorted(set(content) - allowed):
        raise SettingsError(f"{where}: unknown keys {', '.join(unknown)}; known are {', '.join(sorted(allowed))}")
