"""Proposals that a person approved and a store of principles come in; the store's new edition goes out."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from principles_store.encoder import Encoder
from principles_store.loading import digest, load_principles
from principles_store.schema import Principle
from principles_store.validate import near_duplicates
from principles_store.writing import write_principles
from training.preferences import pages
from training.preferences.pages import Illegible, says_yes


class NotApproved(ValueError):
    """Nothing was written; the message says which proposal stands in the way, and why."""


def approved(path: Path, *, author: str) -> tuple[Principle, ...]:
    """The principles of a page whose `approve` is yes, each with its approver among the evidence.

    Raises:
        NotApproved: the page cannot be read, none is approved, an `approve` is neither yes nor no, an approved one is
            not complete, or two have one id.

    """
    try:
        rows = pages.rows(path)
    except Illegible as error:
        raise NotApproved(str(error)) from error
    if not isinstance(rows, list):
        raise NotApproved(f"{path}: should be a list of proposals, as `clinalign principles distil` wrote it")
    taken = [(f"proposal {at}", row) for at, row in enumerate(rows, start=1) if _says_yes(row, f"proposal {at}")]
    if not taken:
        raise NotApproved(f"{path}: no proposal has approve: yes")
    places: dict[str, str] = {}
    made = tuple(_principle(row, author, where) for where, row in taken)
    for principle, (where, _) in zip(made, taken, strict=True):
        if principle.id in places:
            raise NotApproved(f"{places[principle.id]} and {where} have one id, {principle.id}: give each its own")
        places[principle.id] = where
    return made


def _says_yes(row: object, where: str) -> bool:
    if not isinstance(row, dict):
        raise NotApproved(f"{where}: should hold `approve` and `principle`, as `clinalign principles distil` wrote it")
    try:
        return says_yes(row.get("approve"), "approve")
    except Illegible as error:
        raise NotApproved(f"{where}: {error}") from error


def _principle(row: dict[str, Any], author: str, where: str) -> Principle:
    fields, behind = _fields(row, "principle", where), _fields(row, "behind", where)
    evidence = fields.get("evidence") or []
    if isinstance(evidence, list):
        said = f"Distilled from {behind.get('examples', 0)} clinicians' preferences; approved by {author}"
        fields["evidence"] = [*evidence, {"name": said}]
    try:
        made = Principle.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "principle"
        raise NotApproved(f"{where} ({fields.get('id')}): {field}: {first['msg']}") from error
    if made.id.endswith(".name-it") or any(criterion.id == "name-it" for criterion in made.criteria):
        raise NotApproved(f"{where} ({made.id}): give it and its criteria names of their own")
    return made


def _fields(row: dict[str, Any], name: str, where: str) -> dict[str, Any]:
    if not isinstance(value := row.get(name) or {}, dict):
        raise NotApproved(f"{where}: {name}: should hold the fields that `clinalign principles distil` wrote there")
    return dict(value)


def add(new: Sequence[Principle], store: Path, out: Path, *, encoder: Encoder | None) -> str:
    """Writes the store's principles and the new ones to `out`, and gives the new edition's digest.

    A principle of an id that is there takes its place, and must carry a higher version.

    Raises:
        NotApproved: an id comes twice among the new, a version does not rise, or a new one says nearly what another
            says. Nothing is written then.
        StoreError: the store cannot be read, or `out` holds files already.

    """
    there = {principle.id: principle for principle in load_principles(store)}
    repeated = [name for name, count in Counter(principle.id for principle in new).items() if count > 1]
    if repeated:
        raise NotApproved(f"{repeated[0]}: comes twice among the approved: give each an id of its own")
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
