"""The round trip with a clinician: drafts go out as a YAML or CSV page; what comes back is checked and kept.

In YAML a reviewer edits, deletes and adds items under each example; in CSV each row is an item. `keep: no` (or an empty
list of items) says that the example yields no rubric. What was changed is worked out here, never asked for: each item
carries its number in the draft, so that one in other words is still known as the same.
"""

import csv
import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from training.journal import Journal
from training.preferences import pages
from training.preferences.drafting import Item, Unreadable, items_of
from training.preferences.examples import Example
from training.preferences.pages import ANSWERS, Illegible, says_yes

_HEAD = """\
# Rubrics drafted by a model, for you to refine: change, delete or add items; keep: no where an example is of no use.
# polarity: must (a good answer does it) or must_not (a bad answer does it). weight: 1 to 10.
# item: leave an item's number as it is when you reword it; one that you add has none.
# Then: clinalign rubrics accept THIS_FILE --author "Your name"
"""
_COLUMNS = (
    "id",
    "keep",
    "item",
    "criterion",
    "polarity",
    "weight",
    "question",
    "preferred",
    "other",
    "preferred_by",
    "why",
)
_NEEDED = frozenset({"id", "criterion", "polarity", "weight"})
_MARKS = (",", ";", "\t")


class BadReview(ValueError):
    """A reviewed page cannot be taken; the message says at which example, and what it wants. Nothing was kept of it."""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One example as a reviewer left it; no items where it is of no use."""

    id: str
    items: tuple[Item, ...]


def write(rows: Iterable[tuple[Example, Sequence[Item]]], path: Path) -> None:
    """The page in its place, as a spreadsheet reads it where it is named .csv: Excel knows UTF-8 by its first mark."""
    as_csv = _is_csv(path)
    pages.write(path, page(rows, as_csv=as_csv), encoding="utf-8-sig" if as_csv else "utf-8")


def _is_csv(path: Path) -> bool:
    return path.suffix.lower() == ".csv"


def page(rows: Iterable[tuple[Example, Sequence[Item]]], *, as_csv: bool) -> str:
    """The page for the reviewer."""
    listed = list(rows)
    if as_csv:
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(_COLUMNS)
        for example, items in listed:
            for at, item in enumerate(items, start=1):
                shown = _shown(example).values() if at == 1 else ("",) * len(_shown(example))
                writer.writerow((example.id, "yes", at, item.criterion, item.polarity, item.weight, *shown))
        return out.getvalue()
    content = [
        {
            "id": example.id,
            "keep": True,
            **_shown(example),
            "items": [replace(item, number=at).as_dict() for at, item in enumerate(items, start=1)],
        }
        for example, items in listed
    ]
    return _HEAD + pages.dumped(content)


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
        rows = _from_csv(path) if _is_csv(path) else pages.rows(path)
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
            found[name] = Reviewed(name, refined(row.get("items") or []) if kept else ())
        except (Unreadable, Illegible) as error:
            raise BadReview(f"{path}: example {name}, {error}") from error
    return tuple(found.values())


def refined(rows: object) -> tuple[Item, ...]:
    """Items as a reviewer left them, with the numbers that they came with; one that was added has none.

    Raises:
        Unreadable: a field is missing or wrong, or a number comes twice.

    """
    items = items_of(rows)
    numbers = [_number(row.get("item"), at) for at, row in enumerate(rows if isinstance(rows, list) else (), start=1)]
    repeated = [number for number, count in Counter(numbers).items() if number is not None and count > 1]
    if repeated:
        raise Unreadable(f"item {repeated[0]} comes twice: leave `item` empty for one that you add")
    return tuple(replace(item, number=number) for item, number in zip(items, numbers, strict=True))


def _number(value: object, at: int) -> int | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise Unreadable(f"item {at}: `item` should be the number that it came with, or empty for one that you add")
    return value


def numbered(drafted: Sequence[Item], items: Sequence[Item]) -> tuple[Item, ...]:
    """The refined items, each with its number in the draft; None for one that was added.

    One that lost its number, as on pages of versions that gave none, is known by its words.
    """
    taken = {item.number for item in items}
    found = []
    for item in items:
        number = item.number
        if number is None:
            alike = (at for at, old in enumerate(drafted, start=1) if old.criterion == item.criterion)
            number = next((at for at in alike if at not in taken), None)
            taken.add(number)
        found.append(replace(item, number=number))
    return tuple(found)


def _cells(path: Path) -> Iterable[Mapping[str, str | None]]:
    """Rows by the names of the first line, between whichever mark parts these: Excel writes the country's own."""
    text = pages.text(path)
    first = text.partition("\n")[0]
    for mark in _MARKS:
        if set(next(csv.reader([first], delimiter=mark), ())) >= _NEEDED:
            return csv.DictReader(io.StringIO(text), delimiter=mark)
    raise Illegible(f"{path}: its first line should name the columns {', '.join(_COLUMNS[:6])}, as they came")


def _from_csv(path: Path) -> list[dict[str, Any]]:
    grouped: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    keeps: dict[str, str] = {}
    for row in _cells(path):
        name = (row.get("id") or "").strip()
        said = (row.get("keep") or "").strip() or "yes"  # a row that a reviewer added may leave it out
        if ANSWERS.get(keeps.get(name, "yes").lower()):  # one row that says no, or nothing known, is enough
            keeps[name] = said
        grouped[name].append(
            {
                "item": _whole(row.get("item")),
                "criterion": row.get("criterion") or "",
                "polarity": (row.get("polarity") or "").strip(),
                "weight": _whole(row.get("weight")),
            }
        )
    return [{"id": name, "keep": keeps[name], "items": items} for name, items in grouped.items()]


def _whole(cell: str | None) -> int | str:
    text = (cell or "").strip()
    return int(text) if text.isdecimal() else text


def accept(
    reviewed: Sequence[Reviewed], drafts: Mapping[str, Mapping[str, Any]], accepted: Journal, *, author: str
) -> dict[str, int]:
    """Keeps a reviewer's rubrics, with author, time and what was changed. The same page may be given again.

    Returns counts of items kept, changed, reworded, added, removed, and examples set aside; and of drafts that this
    author has not reviewed, on this page or another: an example whose rows were all deleted is one of them.

    Raises:
        BadReview: an example or an item was never drafted, or this author reviewed it otherwise. Nothing is kept then.

    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    new = [(one.id, *_held(one, drafts, accepted, author)) for one in reviewed]
    totals: defaultdict[str, int] = defaultdict(int, rubrics=0, set_aside=0)
    for name, before, items in new:
        key, changes = _key(name, author), changed(before, items)
        if key in accepted:
            continue
        plain = [item.as_dict() for item in items]
        accepted.append(key, {"id": name, "author": author, "time": now, "items": plain, "changes": changes})
        totals["rubrics" if items else "set_aside"] += 1
        for kind, count in changes.items():
            totals[kind] += count
    totals["unreviewed"] = sum(_key(name, author) not in accepted for name in drafts)
    return dict(totals)


def _held(
    one: Reviewed, drafts: Mapping[str, Mapping[str, Any]], accepted: Journal, author: str
) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    """An example's drafted items, and the refined ones with their numbers, once nothing stands in their way."""
    if one.id not in drafts:
        raise BadReview(f"example {one.id} was never drafted")
    before = items_of(drafts[one.id]["items"])
    strange = [item.number for item in one.items if (item.number or 0) > len(before)]
    if strange:
        raise BadReview(
            f"example {one.id}: item {strange[0]} was never drafted: leave `item` empty for one that you add"
        )
    items = numbered(before, one.items)
    known = accepted.get(_key(one.id, author))
    if known is not None and numbered(before, refined(known["items"])) != items:
        raise BadReview(f"example {one.id} was reviewed otherwise by {author} on {known['time']}")
    return before, items


def changed(before: Sequence[Item], after: Sequence[Item]) -> dict[str, int]:
    """How many drafted items were kept as they were, changed in weight or polarity alone, reworded, or removed.

    `after` with its numbers; those without one were added.
    """
    counts = {"kept": 0, "changed": 0, "reworded": 0, "added": 0, "removed": 0}
    for item in after:
        counts[_change(before, item)] += 1
    return {**counts, "removed": len(before) - len(after) + counts["added"]}


def _change(before: Sequence[Item], item: Item) -> str:
    if item.number is None:
        return "added"
    old = before[item.number - 1]
    if old.criterion != item.criterion:
        return "reworded"
    return "kept" if (old.polarity, old.weight) == (item.polarity, item.weight) else "changed"


def _key(example: str, author: str) -> str:
    return f"{example}/{author}"
