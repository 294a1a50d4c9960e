"""Evaluation: files of labelled and of routine questions come in; counts, a curve and milliseconds go out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from service.domain.conversation import Conversation
from service.pipeline.screen import Screen
from service.pipeline.screen.counting import BOTH, HEAD, RULES, Families, Rate, Tally, tally
from service.pipeline.screen.examples import read_examples
from service.pipeline.screen.head import THRESHOLD, Sighting
from service.pipeline.screen.held_out import held_out
from service.pipeline.screen.rows import EMERGENT, Fold, each_row
from service.pipeline.screen.timing import Times, timed
from service.pipeline.screen.tuning import Point, curve, read_tuning

_STEPS: Final = tuple(step / 50 for step in range(-25, 51))
_TIMED: Final = 40  # questions that an encoder still remembers
QUESTIONS: Final = "tuning questions"
CONVERSATIONS: Final = "whole conversations"


@dataclass(frozen=True, slots=True)
class Report:
    """Rates by source, label and fold; families raised; our own held-out set; the curve on tuning; times."""

    rates: tuple[Rate, ...]
    families: Mapping[str, Mapping[str, Mapping[str, int]]]
    own: tuple[Rate, ...]
    curve: tuple[Point, ...]
    threshold: float
    milliseconds: tuple[Times, ...]

    def rate(self, label: str, fold: Fold, *, source: str = RULES) -> Rate:
        """The rate of a label in a fold; of no rows where there are none."""
        wanted = (source, label, fold)
        found = (rate for rate in self.rates if (rate.source, rate.label, rate.fold) == wanted)
        return next(found, Rate(source, label, fold, 0, 0, 0.0, 1.0))

    def as_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            **asdict(self),
            "rates": [{**asdict(rate), "share": rate.share} for rate in self.rates],
            "own": [{**asdict(rate), "share": rate.share} for rate in self.own],
        }


def evaluate(emergent: Path, routine: Sequence[Path], *, screen: Screen, conversations: Path | None = None) -> Report:
    """What rules and head make of an emergency file's rows by their labels, and of routine files under their names.

    The rules are timed on tuning rows of all these files, and of `conversations`.

    Raises:
        SettingsError: a file cannot be read.

    """
    reader, counts = _Reader(screen), Tally()
    tally(each_row(emergent), reader.look, into=counts)
    for path in routine:
        tally(each_row(path), reader.look, into=counts, label=name_of(path))
    points = curve(
        reader.scores(emergent, label=EMERGENT),
        {name_of(path): reader.scores(path) for path in routine},
        thresholds=_STEPS if screen.head else (),
    )
    own = held_out(read_examples(), screen.head.weights, screen=screen).rates() if screen.head else ()
    questions = [row.conversation for path in (emergent, *routine) for row in read_tuning(path)]
    whole = [row.conversation for row in read_tuning(conversations)] if conversations else []
    times = _milliseconds({QUESTIONS: questions, CONVERSATIONS: whole}, screen=screen)
    return Report(counts.rates(), counts.families(), own, points, THRESHOLD, times)


def name_of(path: Path) -> str:
    """What a routine file's rows are counted under: `kqa_questions` of `kqa_questions.jsonl.gz`."""
    return path.name.split(".")[0]


@dataclass(frozen=True, slots=True)
class _Reader:
    """The screen, and what the head made of each conversation, so that none is encoded twice."""

    screen: Screen
    seen: dict[Conversation, tuple[bool, Sighting | None]] = field(default_factory=dict)

    def look(self, conversation: Conversation) -> Families:
        """The families that each source raises."""
        rules = tuple(flag.family for flag in self.screen.screen(conversation, audience=None))
        if self.screen.head is None:
            return {RULES: rules}
        highest = self.screen.highest(conversation)
        self.seen[conversation] = (bool(rules), highest)
        head = (highest.family,) if highest and highest.score >= THRESHOLD else ()
        return {RULES: rules, HEAD: head, BOTH: rules or head}

    def scores(self, path: Path, *, label: str | None = None) -> list[float]:
        """The head's score of each tuning row of a label, infinite where the rules flag it."""
        rows = [row for row in read_tuning(path) if label in {None, row.label}] if self.seen else []
        return [_score(*self.seen[row.conversation]) for row in rows]


def _score(by_rules: bool, highest: Sighting | None) -> float:  # noqa: FBT001 - a pair, taken apart
    if by_rules:
        return float("inf")
    return highest.score if highest else float("-inf")


def _milliseconds(samples: Mapping[str, Sequence[Conversation]], *, screen: Screen) -> tuple[Times, ...]:
    """Of the rules on each sample that holds any; of the head where the turn is encoded already, as after search."""
    times = [
        timed("rules", over, sample, lambda c: screen.screen(c, audience=None))
        for over, sample in samples.items()
        if sample
    ]
    few = samples[QUESTIONS][:_TIMED]
    if (head := screen.head) and few:
        # The vectors of the sample are remembered by now: what is left is the head's own work.
        for conversation in few:
            head.highest(conversation)
        times.append(timed("head_encoded", QUESTIONS, few, head.highest))
    return tuple(times)
