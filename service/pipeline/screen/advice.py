"""Advice: what must be said now about red flags, in the reader's language and with the region's numbers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from service.domain.enquiry import Audience
from service.domain.errors import SettingsError
from service.pipeline.screen.sources import files, only, read_mapping

DEFAULT_LANGUAGE = "en"
_GENERAL = "general"
_NUMBERS = ("emergency", "crisis", "poison", "abuse")
_FRAMES = {"number", "join", "possible", "or", "clinician"}
_NAMES = 3  # dangers that are named, and below those whose first aid is given; more would bury the call to action
_MEANWHILE = 2
_PARTS = {"action", "possible", "meanwhile", "clinical", "prompt"}


@dataclass(frozen=True, slots=True)
class Phrasing:
    """The advice of one language: actions in order of urgency, the frames of sentences, and the parts by family."""

    numbers: Mapping[str, str]
    actions: Mapping[str, str]
    frames: Mapping[str, str]
    families: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Advice:
    """The advice of all languages, for one region's numbers."""

    phrasings: Mapping[str, Phrasing]
    numbers: Mapping[str, str] = field(default_factory=dict)

    def say(self, families: Sequence[str], *, audience: Audience | None, language: str | None) -> str:
        """The words to put first; empty without families. A language that is not known is English."""
        if not families:
            return ""
        phrasing = self.phrasings.get(language or DEFAULT_LANGUAGE, self.phrasings[DEFAULT_LANGUAGE])
        parts = [self._part(family, phrasing) for family in dict.fromkeys(families)]
        compose = _for_clinician if audience is Audience.CLINICIAN else _for_person
        text = compose(phrasing, parts)
        return text.format_map({**phrasing.numbers, **self._numbers(phrasing)})

    def _part(self, family: str, phrasing: Phrasing) -> Mapping[str, str]:
        """The family's words; where a language has none of its own, its general ones with the English action."""
        if family in phrasing.families:
            return phrasing.families[family]
        english = self.phrasings[DEFAULT_LANGUAGE].families.get(family, {})
        general = phrasing.families[_GENERAL]
        return {key: english.get("action", text) if key == "action" else text for key, text in general.items()}

    def _numbers(self, phrasing: Phrasing) -> dict[str, str]:
        """The region's numbers, the emergency number with the little words that its language wants before it."""
        framed = {"emergency": phrasing.frames["number"].format(number=self.numbers.get("emergency"))}
        return {**self.numbers, **(framed if "emergency" in self.numbers else {})}


def _for_clinician(phrasing: Phrasing, parts: Sequence[Mapping[str, str]]) -> str:
    names = _distinct(part.get("clinical") for part in parts)
    if not names:
        return _for_person(phrasing, parts)
    prompts = _distinct(part.get("prompt") for part in parts)
    return _joined(phrasing, [_named(phrasing, "clinician", names), *prompts[:_MEANWHILE]])


def _for_person(phrasing: Phrasing, parts: Sequence[Mapping[str, str]]) -> str:
    """The most pressing action once, what it could be, then what to do meanwhile; a crisis line is never left out."""
    urgency = list(phrasing.actions)
    ordered = sorted(parts, key=lambda part: urgency.index(part["action"]))
    said = [action for action in urgency if action in {part["action"] for part in parts}]
    others = [action for action in said[1:] if action in {"crisis", "safety"}]
    names = _distinct(part.get("possible") for part in ordered)
    return _joined(
        phrasing,
        [
            phrasing.actions[said[0]],
            *([_named(phrasing, "possible", names)] if names else []),
            *_distinct(part.get("meanwhile") for part in ordered)[:_MEANWHILE],
            *(phrasing.actions[action] for action in others),
        ],
    )


def _named(phrasing: Phrasing, frame: str, names: Sequence[str]) -> str:
    return phrasing.frames[frame].replace("{names}", phrasing.frames["or"].join(names[:_NAMES]))


def _distinct(texts: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(text for text in texts if text))


def _joined(phrasing: Phrasing, sentences: Sequence[str]) -> str:
    return phrasing.frames["join"].join(sentence.strip() for sentence in sentences)


def read_advice(folders: Sequence[Traversable | Path], *, region: str, families: Iterable[str]) -> Advice:
    """The advice of the folders together, for a region; a later folder adds families and languages.

    Raises:
        SettingsError: a file does not fit, the region is unknown, or a family has no English words.

    """
    contents: dict[str, dict[str, Any]] = {}
    for folder in folders:
        for file in files(folder, "advice"):
            content = _checked(read_mapping(file), where=f"advice/{file.name}")
            known = contents.setdefault(file.name.removesuffix(".yaml"), {})
            for key, value in content.items():
                known[key] = {**known.get(key, {}), **value} if isinstance(value, dict) else value
    phrasings = {
        language: _phrasing(content, where=f"advice/{language}.yaml") for language, content in contents.items()
    }
    missing = sorted(set(families) - set(phrasings[DEFAULT_LANGUAGE].families))
    if missing:
        raise SettingsError(f"advice/{DEFAULT_LANGUAGE}.yaml: no words for the families {', '.join(missing)}")
    return Advice(phrasings, _region(folders[0], region))


def _region(folder: Traversable | Path, region: str) -> Mapping[str, str]:
    regions = read_mapping(folder / "regions.yaml")
    if region not in regions:
        raise SettingsError(f"region {region!r} is not known; known are {', '.join(regions)}")
    numbers = regions[region]
    if not isinstance(numbers, dict):
        raise SettingsError(f"regions.yaml: {region} must give numbers by line")
    only(numbers, set(_NUMBERS), where=f"regions.yaml: {region}")
    return {line: str(number) for line, number in numbers.items()}


def _checked(content: dict[str, Any], *, where: str) -> dict[str, Any]:
    only(content, {*_NUMBERS, "actions", "frames", "general", "families"}, where=where)
    return content


def _phrasing(content: Mapping[str, Any], *, where: str) -> Phrasing:
    for key in (*_NUMBERS, "actions", "frames", "general", "families"):
        if not content.get(key):
            raise SettingsError(f"{where}: `{key}` is missing")
    actions, frames = content["actions"], content["frames"]
    families = {_GENERAL: {"action": next(iter(actions)), **content["general"]}, **content["families"]}
    if lacking := _FRAMES - set(frames):
        raise SettingsError(f"{where}: frames lack {', '.join(sorted(lacking))}")
    for family, parts in families.items():
        only(parts, _PARTS, where=f"{where}: {family}")
        if parts.get("action") not in actions:
            raise SettingsError(f"{where}: {family}: `action` is one of {', '.join(actions)}")
    phrasing = Phrasing({line: content[line] for line in _NUMBERS}, actions, frames, families)
    _fill(phrasing, where=where)
    return phrasing


def _fill(phrasing: Phrasing, *, where: str) -> None:
    """Every text must take the numbers: a misspelt place would fail in an answer."""
    pieces = [*phrasing.actions.values(), *(text for parts in phrasing.families.values() for text in parts.values())]
    for piece in pieces:
        try:
            piece.format_map(phrasing.numbers)
        except (KeyError, ValueError, IndexError) as error:
            raise SettingsError(f"{where}: {piece[:40]!r}... has a place that is not one of {_NUMBERS}") from error
