"""What drafts reach of what they learn from: checkpoints in; things done, scores and words beside their teacher's, out.

    .venv/bin/python -m training.ladder.aim CHECKPOINT ... --judge JUDGE --dialogues 80

Asked before a run, it says what the run can gain at most; before a gate, whether it has. The dialogues are of the
training half, so that no gate's and no report's are looked at.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Final

from service.domain.assessment import Polarity
from training import gguf
from training.dialogues import library
from training.dialogues.dialogue import Dialogue, Source
from training.dialogues.words import Split
from training.gate.judges import Judge, opened
from training.gate.rows import Speaks, done_in, rubric_of
from training.ladder.climb import Answered, answered
from training.llama import Llama

TEACHER: Final = "what they learn from"
_REPLY_TOKENS: Final = 320
_JUDGE: Final = Path("training/checkpoints/clinalign-judge")


@dataclass(frozen=True, slots=True)
class Reached:
    """One draft: its scores, and how many of the things that its rubric wants are in it, in known wordings."""

    answer: Answered
    done: int
    wanted: int


def reached(text: str, dialogue: Dialogue, judge: Judge) -> Reached:
    """What a draft reaches."""
    wanted = {c.id for c in rubric_of(dialogue) if c.polarity is Polarity.MUST}
    return Reached(answered(text, dialogue, judge), len(wanted & done_in(text, dialogue)), len(wanted))


def compared(models: Mapping[str, Speaks], dialogues: Iterable[Dialogue], judge: Judge) -> dict[str, list[Reached]]:
    """By name, the teacher's first, what each draft reaches."""
    found: dict[str, list[Reached]] = {TEACHER: [], **{name: [] for name in models}}
    for dialogue in dialogues:
        found[TEACHER].append(reached(dialogue.answers[0].body, dialogue, judge))
        for name, model in models.items():
            text = model.reply(dialogue.setting.prompt, most=_REPLY_TOKENS)
            found[name].append(reached(text, dialogue, judge))
        print(".", end="", file=sys.stderr, flush=True)
    return found


def page(found: Mapping[str, Sequence[Reached]]) -> str:
    """A Markdown table."""
    lines = ["| drafts | wanted things done | known wordings | judged | words |", "|---|---|---|---|---|"]
    for name, drafts in found.items():
        done, wanted = sum(one.done for one in drafts), sum(one.wanted for one in drafts)
        known, judged, words = (
            sum(values) / len(drafts)
            for values in zip(*((d.answer.known, d.answer.judged, d.answer.words) for d in drafts), strict=True)
        )
        lines.append(f"| {name} | {done} of {wanted} | {known:.3f} | {judged:.3f} | {words:.0f} |")
    return "\n".join(lines)


def training_half(dialogues: int, seed: int) -> list[Dialogue]:
    """The first so many dialogues that are answered from principles."""
    everything = library.load()
    source = Source(everything, library.queries(), seed, Split.TRAIN, everything.trained)
    drawn = (source.dialogue(number) for number in count())
    return list(islice((one for one in drawn if not one.setting.scene.fixed), dialogues))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What drafts reach of what they learn from.")
    parser.add_argument("checkpoints", type=Path, nargs="+")
    parser.add_argument("--judge", type=Path, default=_JUDGE, help="Folder of the small judge, or of a checkpoint.")
    parser.add_argument("--dialogues", type=int, default=80)
    parser.add_argument("--seed", type=int, default=101)
    given = parser.parse_args()
    with opened(given.judge) as reader, tempfile.TemporaryDirectory() as scratch:
        served = {}
        for at, checkpoint in enumerate(given.checkpoints):
            gguf.write(checkpoint, Path(scratch) / f"{at}.gguf")
            served[str(checkpoint)] = Llama(Path(scratch) / f"{at}.gguf")
        print(page(compared(served, training_half(given.dialogues, given.seed), reader)))
