"""What each step of the way gains: checkpoints and rounds of guided revision in; scores, lengths and intervals out.

Scores are a judge's that gave no reward and guided no revision, on held-out dialogues of trained principles
and of principles that training never drew.
"""

import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from service.domain.assessment import Polarity
from training import gguf
from training.dialogues.dialogue import Dialogue
from training.gate.decision import Answered as Scored
from training.gate.decision import at_equal_length
from training.gate.judges import Judge
from training.gate.rows import Rows, done_in, rubric_of, score
from training.healthbench.scoring import resampled
from training.ladder.guided import rounds
from training.llama import Llama

_GROUPS: Final = {"trained": "trained principles", "held_out": "held-out principles"}
_ROUNDS: Final = 2
_RESAMPLES: Final = 2000
_COLUMNS: Final = "judged | gain | at equal length | known wordings | gain | words | changed"


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer: the judge's score, the share of the rubric's weight by known wordings, and its words."""

    judged: float
    known: float
    words: int
    text: str


def climbed(checkpoint: Path, rows: Rows, judge: Judge) -> dict[str, list[list[Answered]]]:
    """By group, for each round (0: the draft) the answers."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.gguf"
        gguf.write(checkpoint, path)
        model = Llama(path)
        found: dict[str, list[list[Answered]]] = {}
        for group in _GROUPS:
            steps: list[list[Answered]] = [[] for _ in range(_ROUNDS + 1)]
            for _, dialogue in rows.dialogues(group):
                for step, text in zip(steps, rounds(model, dialogue, most=_ROUNDS), strict=True):
                    step.append(answered(text, dialogue, judge))
                print(".", end="", file=sys.stderr, flush=True)
            found[group] = steps
        return found


def answered(text: str, dialogue: Dialogue, judge: Judge) -> Answered:
    """An answer as the judge and the known wordings score it."""
    done, rubric = done_in(text, dialogue), rubric_of(dialogue)
    met = sum(c.weight for c in rubric if (c.id in done) is (c.polarity is Polarity.MUST))
    return Answered(score(text, dialogue, judge), met / sum(c.weight for c in rubric), len(text.split()), text)


def table(climbs: dict[str, dict[str, list[list[Answered]]]]) -> dict[str, Any]:
    """By group, a line a step: means with 95 % intervals, and the gain over the step before.

    Before a draft is the first checkpoint's draft, and before a round of revision the round before.
    """
    first = next(iter(climbs.values()))
    told: dict[str, Any] = {}
    for group in _GROUPS:
        start = first[group][0]
        told[group] = [
            _step(f"{name} +{at}" if at else name, answers, climb[group][at - 1] if at else start)
            for name, climb in climbs.items()
            for at, answers in enumerate(climb[group])
        ]
    return told


def _step(name: str, answers: Sequence[Answered], before: Sequence[Answered]) -> dict[str, Any]:
    pairs = list(zip(answers, before, strict=True))
    return {
        "step": name,
        "answers": len(answers),
        "changed": sum(a.text != b.text for a, b in pairs),
        "judged": _mean([a.judged for a in answers]),
        "gain": _mean([a.judged - b.judged for a, b in pairs]),
        "at_equal_length": at_equal_length(_scored(answers), _scored(before)),
        "known": _mean([a.known for a in answers]),
        "known_gain": _mean([a.known - b.known for a, b in pairs]),
        "words": _mean([float(a.words) for a in answers]),
    }


def _scored(answers: Sequence[Answered]) -> list[Scored]:
    return [Scored(a.judged, a.words) for a in answers]


def rows(climbs: dict[str, dict[str, list[list[Answered]]]]) -> dict[str, Any]:
    """What the table is reckoned from, without the answers' texts: a digest tells whether one was changed."""
    return {
        name: {group: [[_row(one) for one in step] for step in steps] for group, steps in climb.items()}
        for name, climb in climbs.items()
    }


def _row(one: Answered) -> list[Any]:
    return [round(one.judged, 6), round(one.known, 6), one.words, sha256(one.text.encode()).hexdigest()[:12]]


def climbs_of(told: dict[str, Any]) -> dict[str, dict[str, list[list[Answered]]]]:
    """`rows` read again."""
    return {
        name: {group: [[Answered(*one) for one in step] for step in steps] for group, steps in climb.items()}
        for name, climb in told.items()
    }


def _mean(values: Sequence[float]) -> list[float]:
    """The mean and its 95 % interval, by bootstrap."""
    means = sorted(resampled(list(values), resamples=_RESAMPLES, seed=1).mean(axis=1).tolist())
    low, high = means[int(0.025 * _RESAMPLES)], means[int(0.975 * _RESAMPLES)]
    return [round(sum(values) / len(values), 4), round(low, 4), round(high, 4)]


def page(told: dict[str, Any]) -> str:
    """Markdown tables; the first step has nothing before it to gain over."""
    lines: list[str] = []
    for group, title in _GROUPS.items():
        lines += [f"| {title}, {told[group][0]['answers']} answers | {_COLUMNS} |", f"|{'---|' * 8}"]
        lines += [f"| {' | '.join(_cells(row, first=at == 0))} |" for at, row in enumerate(told[group])]
        lines.append("")
    return "\n".join(lines)


def _cells(row: dict[str, Any], *, first: bool) -> tuple[str, ...]:
    if first:
        return row["step"], _cell(row["judged"]), "", "", _cell(row["known"]), "", _cell(row["words"], 0), ""
    low, high = (_number(value, 3) for value in row["at_equal_length"])
    gained = _cell(row["gain"]), f"{low} to {high}"
    known = _cell(row["known"]), _cell(row["known_gain"])
    return row["step"], _cell(row["judged"]), *gained, *known, _cell(row["words"], 0), f"{row['changed']}"


def _cell(values: Sequence[float], digits: int = 3) -> str:
    mean, low, high = (_number(value, digits) for value in values)
    return f"{mean} ({low} to {high})"


def _number(value: float, digits: int) -> str:
    return f"{round(value, digits) + 0.0:.{digits}f}"  # no "-0.000"
