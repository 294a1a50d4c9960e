"""Evaluation: labelled questions come in, how many are flagged goes out, by fold. Only `read_rows` touches files."""

import gzip
import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from service.domain.conversation import Conversation, Message, Role
from service.domain.errors import SettingsError
from service.pipeline.screen import Screen

ROUTINE: Final = "routine"
EMERGENT: Final = "emergent"
_TEXT_FIELDS: Final = ("first_user_turn", "Question", "question", "text")
_Z: Final = 1.959964  # two-sided 95 %
_SALT: Final = "red"  # chosen so that the rows which had been seen before there were folds fall into tuning


class Fold(StrEnum):
    """Rules are written while looking at `tuning`; `reporting` is only counted."""

    TUNING = "tuning"
    REPORTING = "reporting"


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled conversation."""

    conversation: Conversation
    label: str

    @property
    def fold(self) -> Fold:
        """By a hash of what the user said first, so that a row keeps its fold whatever file it comes in."""
        first = next(m.content for m in self.conversation.messages if m.role is Role.USER)
        digest = hashlib.sha256((_SALT + first).encode()).digest()
        return Fold.REPORTING if digest[0] % 2 else Fold.TUNING


@dataclass(frozen=True, slots=True)
class Rate:
    """Of `total` rows of a label in a fold, `flagged` raised a flag; `low` and `high` bound the share (95 %)."""

    label: str
    fold: Fold
    flagged: int
    total: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """In [0, 1]; sensitivity for the label `emergent`, the rate of false alarms for `routine`."""
        return self.flagged / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True)
class Report:
    """The rates by label and fold, and which families the routine rows raised."""

    rates: tuple[Rate, ...]
    false_alarms: Mapping[str, int]

    def rate(self, label: str, fold: Fold) -> Rate:
        """The rate of a label in a fold; of no rows where there are none."""
        return next((r for r in self.rates if (r.label, r.fold) == (label, fold)), Rate(label, fold, 0, 0, 0.0, 1.0))

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        rates = [{**asdict(rate), "fold": rate.fold.value, "share": rate.share} for rate in self.rates]
        return {"rates": rates, "false_alarms": dict(self.false_alarms)}


def evaluate(rows_emergent: Iterable[Row], rows_routine: Iterable[Row], *, screen: Screen | None = None) -> Report:
    """What the screen makes of labelled rows, and of routine ones, whose own labels are left aside."""
    screen = screen or Screen()
    totals: Counter[tuple[str, Fold]] = Counter()
    flagged: Counter[tuple[str, Fold]] = Counter()
    alarms: Counter[str] = Counter()
    labelled = [(row, row.label) for row in rows_emergent] + [(row, ROUTINE) for row in rows_routine]
    for row, label in labelled:
        flags = screen.screen(row.conversation, audience=None)
        totals[label, row.fold] += 1
        flagged[label, row.fold] += bool(flags)
        if label == ROUTINE:
            alarms.update(flag.family for flag in flags)
    rates = (
        Rate(label, fold, flagged[label, fold], total, *wilson(flagged[label, fold], total))
        for (label, fold), total in sorted(totals.items())
    )
    return Report(tuple(rates), dict(alarms.most_common()))


def wilson(successes: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a share; (0, 1) where there is nothing to count."""
    if not total:
        return 0.0, 1.0
    share, spread = successes / total, _Z**2 / total
    middle = (share + spread / 2) / (1 + spread)
    half = _Z * math.sqrt(share * (1 - share) / total + spread / (4 * total)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def read_rows(path: Path) -> tuple[Row, ...]:
    """The rows of a JSONL file (`.gz` is unpacked), each text once.

    A row has its text under `first_user_turn`, `Question`, `question` or `text`, or messages under `prompt`; and
    its label, where it has one, under `label`.

    Raises:
        SettingsError: the file cannot be read, or a row has no text; the message names the line, never its words.

    """
    rows: dict[Conversation, Row] = {}
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for number, line in enumerate(content.decode().split("\n"), start=1):
            if line.strip():
                row = _row(json.loads(line), where=f"{path.name}:{number}")
                rows.setdefault(row.conversation, row)
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(f"{path}: cannot be read as lines of JSON ({type(error).__name__})") from error
    return tuple(rows.values())


def _row(content: object, *, where: str) -> Row:
    if not isinstance(content, dict):
        raise SettingsError(f"{where}: a row is a JSON object")
    label = str(content.get("label") or ROUTINE)
    if isinstance(prompt := content.get("prompt"), list):
        messages = tuple(Message(Role(turn["role"]), str(turn["content"])) for turn in prompt)
        return Row(Conversation(messages), label)
    text = next((content[name] for name in _TEXT_FIELDS if content.get(name)), None)
    if not isinstance(text, str):
        raise SettingsError(f"{where}: no text under any of {', '.join(_TEXT_FIELDS)}, and no messages under `prompt`")
    return Row(Conversation((Message(Role.USER, text),)), label)
