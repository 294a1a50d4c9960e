"""The head's examples: texts of our own, in groups of one idea each, that tell of danger now or do not."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from importlib.resources import files as package_files
from typing import Any, Final

from service.domain.errors import SettingsError
from service.pipeline.screen.sources import files, only, read_mapping

_KINDS: Final = ("danger", "routine")


@dataclass(frozen=True, slots=True)
class Example:
    """One text. `group` names the idea that it words: texts of a group are learned or held out together."""

    text: str
    danger: bool
    family: str
    group: str


def read_examples() -> tuple[Example, ...]:
    """The examples of the package, in the order of their files.

    Raises:
        SettingsError: a file does not fit, or a text stands twice; the message names file and group.

    """
    folder = package_files("service.pipeline.screen")
    found = tuple(
        example
        for file in files(folder, "examples")
        for example in _examples(read_mapping(file), file=file.name.removesuffix(".yaml"))
    )
    if twice := [text for text, count in Counter(e.text.casefold() for e in found).items() if count > 1]:
        groups = sorted({e.group for e in found if e.text.casefold() in twice})
        raise SettingsError(f"examples: a text stands twice, in {', '.join(groups)}")
    return found


def digest(examples: tuple[Example, ...]) -> str:
    """Names these examples: texts, labels and order."""
    content = "\n".join(f"{e.group}\t{e.danger}\t{e.family}\t{e.text}" for e in examples)
    return hashlib.sha256(content.encode()).hexdigest()


def _examples(content: dict[str, Any], *, file: str) -> list[Example]:
    only(content, {"family", *_KINDS}, where=f"examples/{file}.yaml")
    family = content.get("family")
    if not isinstance(family, str) or not family:
        raise SettingsError(f"examples/{file}.yaml: `family` must be a name")
    found: list[Example] = []
    for kind in _KINDS:
        for name, lines in dict(content.get(kind, {})).items():
            group = f"{file}/{kind}/{name}"
            if not isinstance(lines, str) or not lines.strip():
                raise SettingsError(f"examples/{group}: texts are expected, one a line")
            texts = [line.strip() for line in lines.splitlines() if line.strip()]
            found += [Example(text, kind == "danger", family, group) for text in texts]
    return found
