"""Rule files, read and checked: a wrong one stops the start, and the message names the file and the rule."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import yaml
from yaml.cyaml import CBaseLoader  # libyaml's, ten times as fast; every wheel of PyYAML has it

from service.domain.errors import SettingsError

_WITHIN = 15
_WIDEST = 200


class Dismissal(StrEnum):
    """Why words that name a danger do not tell of one.

    Denied, long over, supposed, asked about in general (or made up), gone again some time ago, or an animal's.
    """

    NEGATED = "negated"
    PAST = "past"
    CONDITIONAL = "conditional"
    EDUCATIONAL = "educational"
    RESOLVED = "resolved"
    ANIMAL = "animal"


class CueKind(StrEnum):
    """What a cue says about the words near it."""

    NEGATION = "negation"
    NEGATION_ADJACENT = "negation_adjacent"
    NEGATION_AFTER = "negation_after"
    NO_NEGATION = "no_negation"
    WALL = "wall"
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
    CLINICIAN = "clinician"
    NO_CLINICIAN = "no_clinician"
    PATIENT = "patient"
    CASE = "case"
    PRACTICE = "practice"
    CHART = "chart"
    OWN = "own"
    FICTION = "fiction"
    OWN_DANGER = "own_danger"
    NO_OWN_DANGER = "no_own_danger"
    ANIMAL = "animal"
    NO_ANIMAL = "no_animal"
    HUMAN = "human"
    NO_HUMAN = "no_human"
    HEARSAY = "hearsay"
    RECENT = "recent"
    RESOLVED = "resolved"


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
    """The rules of one danger in one language; `excepted` are phrases that look like it and are not.

    What `stands` for the family in its file stands for each of its rules.
    """

    name: str
    language: str
    rules: tuple[Rule, ...]
    excepted: tuple[str, ...]
    file: str


@dataclass(frozen=True, slots=True)
class Sources:
    """All that the rules are compiled from. `misspelt` gives the right word for a wrong one."""

    families: tuple[Family, ...]
    lists: Mapping[str, Mapping[str, tuple[str, ...]]]
    cues: Mapping[str, Mapping[CueKind, tuple[str, ...]]]
    misspelt: Mapping[str, str]


def read_sources(folders: Iterable[Traversable | Path]) -> Sources:
    """The rules of the folders together: `families/*.yaml`, and `words`, `cues` and `misspellings`, each by language.

    A family file may hold several documents, one for each family and language. A later folder adds families, rules of
    families that there are already, lists, cues and misspellings.

    Raises:
        SettingsError: a file cannot be read or does not fit; the message names file and rule.

    """
    families: list[Family] = []
    lists: dict[str, dict[str, tuple[str, ...]]] = {}
    cues: dict[str, dict[CueKind, tuple[str, ...]]] = {}
    misspelt: dict[str, str] = {}
    for folder in folders:
        for file in files(folder, "families"):
            families += (_family(content, file=file.name) for content in read_yaml(file))
        for file in files(folder, "words"):
            _merge(lists.setdefault(_language(file), {}), _phrases_by_name(file, allowed=None))
        for file in files(folder, "cues"):
            found = _phrases_by_name(file, allowed=[kind.value for kind in CueKind])
            _merge(cues.setdefault(_language(file), {}), {CueKind(kind): found[kind] for kind in found})
        for file in files(folder, "misspellings"):
            misspelt |= {wrong: right for right, many in _phrases_by_name(file, allowed=None).items() for wrong in many}
    _refuse_repeats([(family.name, rule.id) for family in families for rule in family.rules])
    return Sources(tuple(families), lists, cues, misspelt)


def files(folder: Traversable | Path, kind: str) -> list[Traversable | Path]:
    """The YAML files of one kind, by name; none where the folder has no such part."""
    part = folder / kind
    return (
        sorted((f for f in part.iterdir() if f.name.endswith(".yaml")), key=lambda f: f.name) if part.is_dir() else []
    )


def read_yaml(file: Traversable | Path) -> list[dict[str, Any]]:
    """The mappings in a file, one a document; every scalar is a string, so that `no` and `1e3` stay words.

    Raises:
        SettingsError: it is not YAML, or a document is not a mapping.

    """
    try:
        contents = list(yaml.load_all(file.read_text(encoding="utf-8"), Loader=_Loader))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"{file.name}: cannot be read as YAML: {' '.join(str(error).split())}") from error
    if not contents or not all(isinstance(content, dict) for content in contents):
        raise SettingsError(f"{file.name}: a mapping is expected at the top")
    return contents


def read_mapping(file: Traversable | Path) -> dict[str, Any]:
    """The mapping of a file that holds one document.

    Raises:
        SettingsError: it holds something else.

    """
    contents = read_yaml(file)
    if len(contents) != 1:
        raise SettingsError(f"{file.name}: one document is expected, {len(contents)} are there")
    return contents[0]


class _Loader(CBaseLoader):
    """Refuses a key that is given twice, which YAML would let the last one win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - yaml's signature
        keys = [key.value for key, _ in node.value]
        repeated = {str(key) for key in keys if keys.count(key) > 1}
        if repeated:
            raise yaml.constructor.ConstructorError(None, None, f"repeated key {sorted(repeated)}", node.start_mark)
        return super().construct_mapping(node, deep=deep)


def _refuse_repeats(rules: Sequence[tuple[str, str]]) -> None:
    if repeated := [f"{family}/{rule}" for (family, rule), count in Counter(rules).items() if count > 1]:
        raise SettingsError(f"families: rules that are given twice: {', '.join(repeated)}")


def _family(content: Mapping[str, Any], *, file: str) -> Family:
    only(content, {"family", "language", "rules", "except", "stands"}, where=file)
    name, language = content.get("family"), content.get("language", "en")
    if not isinstance(name, str) or not name or not isinstance(language, str):
        raise SettingsError(f"{file}: `family` and `language` must be names")
    where = f"{file}: {name}"
    entries = content.get("rules")
    if not isinstance(entries, list) or not entries:
        raise SettingsError(f"{where}: `rules` must be a list of at least one rule")
    stands = _stands(content.get("stands", []), where=where)
    rules = [_rule(entry, family=name, language=language, where=where) for entry in entries]
    return Family(
        name=name,
        language=language,
        rules=tuple(replace(rule, stands=rule.stands | stands) for rule in rules),
        excepted=texts(content["except"], where=f"{where}: except") if "except" in content else (),
        file=file,
    )


def _rule(entry: object, *, family: str, language: str, where: str) -> Rule:
    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
        raise SettingsError(f"{where}: a rule is a mapping with an `id`")
    where = f"{where}: rule {entry['id']}"
    only(entry, {"id", "phrases", "all", "within", "stands"}, where=where)
    if ("phrases" in entry) == ("all" in entry):
        raise SettingsError(f"{where}: give either `phrases` or `all`")
    groups = [entry["phrases"]] if "phrases" in entry else entry["all"]
    if not isinstance(groups, list) or not groups:
        raise SettingsError(f"{where}: `all` must be a list of lists of phrases")
    return Rule(
        id=entry["id"],
        family=family,
        language=language,
        groups=tuple(texts(group, where=where) for group in groups),
        within=_within(entry.get("within", str(_WITHIN)), where=where),
        stands=_stands(entry.get("stands", []), where=where),
    )


def _within(text: object, *, where: str) -> int | None:
    if text == "conversation":
        return None
    if not isinstance(text, str) or not text.isdecimal() or not 1 <= int(text) <= _WIDEST:
        raise SettingsError(f"{where}: `within` is `conversation` or a number of words from 1 to {_WIDEST}")
    return int(text)


def _stands(names: object, *, where: str) -> frozenset[Dismissal]:
    if not isinstance(names, list) or not all(name in set(Dismissal) for name in names):
        raise SettingsError(f"{where}: `stands` is a list out of {', '.join(Dismissal)}")
    return frozenset(Dismissal(name) for name in names)


def _phrases_by_name(file: Traversable | Path, *, allowed: Sequence[str] | None) -> dict[str, tuple[str, ...]]:
    content = read_mapping(file)
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
