"""The round trip with a clinician: drafts go out as a YAML or CSV page; what comes back is checked and kept.

In YAML a reviewer edits, deletes and adds items under each example; in CSV each row is an item. `keep: no` (or an empty
list of items) says that the example yields no rubric. What was changed is worked out here, never asked for.
"""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from training.journal import Journal
from training.preferences import pages
from training.preferences.drafting import Item, Unreadable, items_of
from training.preferences.examples import Example
from training.preferences.pages import ANSWERS, Illegible, says_yes

_HEAD = """\
# Rubrics drafted by a model, for you to refine: change, delete or add items; keep: no where an example is of no use.
# polarity: must (a good answer does it) or must_not (a bad answer does it). weight: 1 to 10.
# Then: clinalign rubrics accept THIS_FILE --author "Your name"
"""
_COLUMNS = ("id", "keep", "criterion", "polarity", "weight", "question", "preferred", "other", "preferred_by", "why")


class BadReview(ValueError):
    """A reviewed page cannot be taken; the message says at which example, and what it wants. Nothing was kept of it."""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One example as a reviewer left it; no items where it is of no use."""

    id: str
    items: tuple[Item, ...]


def page(rows: Iterable[tuple[Example, Sequence[Item]]], *, as_csv: bool) -> str:
    """The page for the reviewer."""
    listed = list(rows)
    if as_csv:
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(_COLUMNS)
        for example, items in listed:
            for at, item in enumerate(items):
                shown = _shown(example).values() if at == 0 else ("",) * len(_shown(example))
                writer.writerow((example.id, "yes", item.criterion, item.polarity, item.weight, *shown))
        return out.getvalue()
    content = [
        {
            "id": example.id,
            "keep": True,
            **_shown(example),
            "items": [item.as_dict() for item in items],
        }
        for example, items in listed
    ]
    return _HEAD + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110)


def _shown(example: Example) -> dict[str, str]:
    """What a reviewer sees of an example beside its items."""
    return {
        "question": example.question,
        "preferred": example.preferred,
        "other": example.other,
        "preferred_by": example.author,
        "why": example.why,
    }


def read(path: Path) -> tuple[Reviewed, ...]:
    """A page as it came back.

    Raises:
        BadReview: it cannot be read, an item is wrong, or an example comes twice.

    """
    try:
        rows = _from_csv(pages.text(path)) if path.suffix == ".csv" else pages.rows(path)
    except Illegible as error:
        raise BadReview(str(error)) from error
    except csv.Error as error:
        raise BadReview(f"{path}: cannot be read ({type(error).__name__})") from error
    if not isinstance(rows, list) or not rows:
        raise BadReview(f"{path}: should be a list of examples, as `clinalign rubrics draft` wrote it")
    found: dict[str, Reviewed] = {}
    for row in rows:
        if not isinstance(row, dict) or not isinstance(name := row.get("id"), str):
            raise BadReview(f"{path}: an example has no id")
        if name in found:
            raise BadReview(f"{path}: example {name} comes twice")
        try:
            kept = says_yes(row.get("keep", True), "keep")
            found[name] = Reviewed(name, items_of(row.get("items") or []) if kept else ())
        except (Unreadable, Illegible) as error:
            raise BadReview(f"{path}: example {name}, {error}") from error
    return tuple(found.values())


def _from_csv(text: str) -> list[dict[str, Any]]:
    grouped: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    keeps: dict[str, str] = {}
    for row in csv.DictReader(io.StringIO(text)):
        name = (row.get("id") or "").strip()
        said = (row.get("keep") or "").strip() or "yes"  # a row that a reviewer added may leave it out
        if ANSWERS.get(keeps.get(name, "yes").lower()):  # one row that says no, or nothing known, is enough
            keeps[name] = said
        weight = (row.get("weight") or "").strip()
        grouped[name].append(
            {
                "criterion": row.get("criterion") or "",
                "polarity": (row.get("polarity") or "").strip(),
                "weight": int(weight) if weight.isdecimal() else weight,
            }
        )
    return [{"id": name, "keep": keeps[name], "items": items} for name, items in grouped.items()]


def accept(
    reviewed: Sequence[Reviewed], drafts: Mapping[str, Mapping[str, Any]], accepted: Journal, *, author: str
) -> dict[str, int]:
    """Keeps a reviewer's rubrics, with author, time and what was changed. The same page may be given again.

    Returns counts of items kept, changed, added, removed, and examples set aside; and of drafts that this author has
    not reviewed, on this page or another: an example whose rows were all deleted is one of them.

    Raises:
        BadReview: an example was never drafted, or this author reviewed it otherwise. Nothing is kept then.

    """
    for one in reviewed:
        if one.id not in drafts:
            raise BadReview(f"example {one.id} was never drafted")
        known = accepted.get(_key(one.id, author))
        if known is not None and known["items"] != _plain(one):
            raise BadReview(f"example {one.id} was reviewed otherwise by {author} on {known['time']}")
    totals: defaultdict[str, int] = defaultdict(int, rubrics=0, set_aside=0)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    for one in reviewed:
        if _key(one.id, author) in accepted:
            continue
        before = items_of(drafts[one.id]["items"])
        changes = changed(before, one.items)
        accepted.append(
            _key(one.id, author),
            {
                "id": one.id,
                "author": author,
                "time": now,
                "items": _plain(one),
                "changes": changes,
            },
        )
        totals["rubrics" if one.items else "set_aside"] += 1
        for kind, count in changes.items():
            totals[kind] += count
    totals["unreviewed"] = sum(_key(name, author) not in accepted for name in drafts)
    return dict(totals)


def changed(before: Sequence[Item], after: Sequence[Item]) -> dict[str, int]:
    """How many items were kept as they were, reweighted or turned round, added, and removed."""
    old, new = {item.criterion: item for item in before}, {item.criterion: item for item in after}
    both = old.keys() & new.keys()
    return {
        "kept": sum(old[name] == new[name] for name in both),
        "changed": sum(old[name] != new[name] for name in both),
        "added": len(new.keys() - old.keys()),
        "removed": len(old.keys() - new.keys()),
    }


def _plain(reviewed: Reviewed) -> list[dict[str, Any]]:
    return [item.as_dict() for item in reviewed.items]


def _key(example: str, author: str) -> str:
    return f"{example}/{author}"
