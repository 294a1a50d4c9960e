"""YAML files in; principles or labelled queries out, in order of id, with a digest of what they say."""

import hashlib
import json
from collections.abc import Hashable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError
from yaml import CSafeLoader  # libyaml's, ten times as fast; every wheel of PyYAML has it

from principles_store.errors import InvalidPrinciples
from principles_store.schema import LabelledQuery, Principle, PrinciplesFile, QueriesFile, Record

File = TypeVar("File", PrinciplesFile, QueriesFile)


class NoRepeats(CSafeLoader):
    """YAML keeps the last of two equal keys in silence; here the second is an error. Makes plain objects only."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        """As PyYAML's; raises a MarkedYAMLError at a key that repeats."""
        names = [self.construct_object(key) for key, _ in node.value]
        for position, name in enumerate(names):
            if name in names[:position]:
                mark = node.value[position][0].start_mark
                raise yaml.MarkedYAMLError(problem=f"the key {name!r} repeats", problem_mark=mark)
        return super().construct_mapping(node, deep=deep)


def load_principles(folder: Path) -> tuple[Principle, ...]:
    """Every principle under the folder (or in the one file), in order of id.

    Raises:
        InvalidPrinciples: the folder holds none, a file does not fit the schema, or an id stands twice.

    """
    origins: dict[str, Path] = {}
    problems: list[str] = []
    found: list[Principle] = []
    for path, file in _files(folder, PrinciplesFile, problems):
        for principle in file.principles:
            if principle.id in origins:
                problems.append(f"{path}: {principle.id}: id: already used in {origins[principle.id]}")
            origins.setdefault(principle.id, path)
            found.append(principle)
    _refuse(problems, empty=not found, message=f"{folder}: no principles: expected <dimension>/<level>.yaml files")
    return tuple(sorted(found, key=lambda principle: principle.id))


def load_queries(folder: Path) -> tuple[LabelledQuery, ...]:
    """Every labelled query under the folder, in order of principle and text.

    Raises:
        InvalidPrinciples: the folder holds none, or a file does not fit the schema.

    """
    problems: list[str] = []
    found = [query for _, file in _files(folder, QueriesFile, problems) for query in file.queries]
    _refuse(problems, empty=not found, message=f"{folder}: no labelled queries: expected *.yaml files")
    return tuple(sorted(found, key=lambda query: (query.principle, query.text)))


def digest(records: Iterable[Record]) -> str:
    """The sha256 of what the records say: files, order, comments and layout do not count."""
    lines = sorted(json.dumps(record.model_dump(mode="json"), sort_keys=True, ensure_ascii=True) for record in records)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _files(folder: Path, kind: type[File], problems: list[str]) -> Iterator[tuple[Path, File]]:
    paths = [folder] if folder.is_file() else sorted([*folder.rglob("*.yaml"), *folder.rglob("*.yml")])
    for path in paths:
        content: object = None
        try:
            content = yaml.load(path.read_text(encoding="utf-8"), Loader=NoRepeats)  # noqa: S506 - a SafeLoader
            yield path, kind.model_validate(content)
        except ValidationError as error:
            problems += [f"{path}: {_where(content, detail['loc'])}: {detail['msg']}" for detail in error.errors()]
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            problems.append(f"{path}: not readable as YAML: {' '.join(str(error).split())}")
        except OSError as error:  # a reload may meet a file that is just being replaced
            problems.append(f"{path}: cannot be read: {error.strerror}")


def _where(content: object, location: tuple[int | str, ...]) -> str:
    """The place of a problem, records named by their ids: `urgency.urgent.fever: criteria[0].weight`."""
    named = ""
    if len(location) > 1 and isinstance(location[1], int):
        named = _name(content, str(location[0]), location[1])
        location = location[2:]
    field = ".".join(str(part) for part in location)
    return ": ".join(part for part in (named, field) if part) or "the whole file"


def _name(content: object, field: str, position: int) -> str:
    entries = content.get(field) if isinstance(content, dict) else None
    entry = entries[position] if isinstance(entries, list) else None
    known = entry.get("id") if isinstance(entry, dict) else None
    return str(known) if known else f"{field}[{position}]"


def _refuse(problems: list[str], *, empty: bool, message: str) -> None:
    if problems or empty:
        raise InvalidPrinciples(problems or [message])
