"""Principles in; YAML files of our schema out, one a level, never over a file that is there unless told to."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from principles_store.errors import ImportRefused
from principles_store.schema import Dimension, Principle


def write_principles(principles: Sequence[Principle], folder: Path, *, force: bool = False) -> tuple[Path, ...]:
    """Write <folder>/<dimension>/<level>.yaml for each level that occurs, and give the paths.

    Raises:
        ImportRefused: a file is there already and `force` is not set; then nothing is written.

    """
    levels: defaultdict[tuple[Dimension, str], list[Principle]] = defaultdict(list)
    for principle in principles:
        levels[principle.dimension, principle.level].append(principle)
    paths = {key: folder / key[0].value / f"{key[1]}.yaml" for key in levels}
    there = [str(path) for path in paths.values() if path.exists()]
    if there and not force:
        raise ImportRefused(f"already there: {', '.join(there)}: give another folder, or --force to replace them")
    for key, path in paths.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_yaml(*key, levels[key]), encoding="utf-8")
    return tuple(paths.values())


def _yaml(dimension: Dimension, level: str, principles: Sequence[Principle]) -> str:
    content = {"dimension": dimension.value, "level": level, "principles": [_plain(p) for p in principles]}
    text: str = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110)
    return text


def _plain(principle: Principle) -> dict[str, Any]:
    fields = principle.model_dump(mode="json", exclude_none=True)
    if not principle.always_on:
        del fields["always_on"]
    if not principle.red_flag_families:
        del fields["red_flag_families"]
    return fields
