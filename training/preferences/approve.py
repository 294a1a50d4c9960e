"""Proposals that a person approved and a store of principles come in; the store's new edition goes out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from principles_store.encoder import Encoder
from principles_store.loading import digest, load_principles
from principles_store.schema import Principle
from principles_store.validate import near_duplicates
from principles_store.writing import write_principles


class NotApproved(ValueError):
    """Nothing was written; the message says which proposal stands in the way, and why."""


def approved(path: Path, *, author: str) -> tuple[Principle, ...]:
    """The principles of a page whose `approve` is true, each with its approver among the evidence.

    Raises:
        NotApproved: the page cannot be read, none is approved, or an approved one is not complete.

    """
    try:
        rows = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise NotApproved(f"{path}: cannot be read ({type(error).__name__})") from error
    if not isinstance(rows, list):
        raise NotApproved(f"{path}: should be a list of proposals, as `clinalign principles distil` wrote it")
    taken = [row for row in rows if isinstance(row, dict) and row.get("approve") is True]
    if not taken:
        raise NotApproved(f"{path}: no proposal has approve: yes")
    return tuple(_principle(row, author) for row in taken)


def _principle(row: dict[str, Any], author: str) -> Principle:
    fields, behind = dict(row.get("principle") or {}), row.get("behind") or {}
    said = f"Distilled from {behind.get('examples', 0)} clinicians' preferences; approved by {author}"
    fields["evidence"] = [*(fields.get("evidence") or []), {"name": said}]
    try:
        made = Principle.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "principle"
        raise NotApproved(f"{fields.get('id')}: {where}: {first['msg']}") from error
    if made.id.endswith(".name-it") or any(criterion.id == "name-it" for criterion in made.criteria):
        raise NotApproved(f"{made.id}: give it and its criteria names of their own")
    return made


def add(new: Sequence[Principle], store: Path, out: Path, *, encoder: Encoder | None) -> str:
    """Writes the store's principles and the new ones to `out`, and gives the new edition's digest.

    A principle of an id that is there takes its place, and must carry a higher version.

    Raises:
        NotApproved: a version does not rise, or a new one says nearly what another says. Nothing is written then.
        StoreError: the store cannot be read, or `out` holds files already.

    """
    there = {principle.id: principle for principle in load_principles(store)}
    for principle in new:
        old = there.get(principle.id)
        if old and _number(principle) <= _number(old):
            raise NotApproved(f"{principle.id}: version {principle.version} does not rise above {old.version}")
    merged = {**there, **{principle.id: principle for principle in new}}
    if encoder is not None:
        mine = {principle.id for principle in new}
        for fault in near_duplicates(list(merged.values()), encoder):
            if fault.where.split("#")[0] in mine or any(name in fault.message for name in mine):
                raise NotApproved(f"{fault.where}: {fault.message}")
    principles = [merged[name] for name in sorted(merged)]
    write_principles(principles, out)
    return digest(principles)


def _number(principle: Principle) -> tuple[int, ...]:
    return tuple(int(part) for part in principle.version.split("."))
