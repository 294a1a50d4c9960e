"""How much a judge sees of what drafts do: a judge's folder in; shares of labelled criteria that it finds, out.

    .venv/bin/python -m training.gate.sight JUDGE --dialogues 40

Drafts and labels are the generator's, of its training half: the gate's and the reports' dialogues are not touched.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from training.dialogues import library
from training.dialogues.dialogue import Source
from training.dialogues.words import Split
from training.gate.judges import Judge, opened
from training.gate.rows import done_in, rubric_of
from training.intervals import share


def seen(judge: Judge, source: Source, *, dialogues: int) -> dict[str, Any]:
    """Of criteria whose thing a draft does, and of those whose thing it does not, how many the judge says it does."""
    found = [pair for number in range(dialogues) for pair in _labelled(judge, source, number)]
    return {
        "judge": judge.name,
        "done_and_found": share(said for label, said in found if label).to_json(),
        "not_done_but_found": share(said for label, said in found if not label).to_json(),
    }


def _labelled(judge: Judge, source: Source, number: int) -> Iterator[tuple[bool, bool]]:
    """Label and verdict of the rubric's criteria on a good draft and a poor one; unknown is not found."""
    dialogue = source.dialogue(number)
    if dialogue.setting.scene.fixed:
        return
    rubric = rubric_of(dialogue)
    for answer in (dialogue.answers[0], dialogue.answers[-1]):
        done = done_in(answer.body, dialogue)
        for criterion, presence in zip(rubric, judge.read(dialogue, answer.body, rubric), strict=True):
            yield criterion.id in done, presence.present is True


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="How much a judge sees of what drafts do.")
    parser.add_argument("judge", type=Path)
    parser.add_argument("--dialogues", type=int, default=40)
    parser.add_argument("--seed", type=int, default=77)
    given = parser.parse_args()
    everything = library.load()
    drawn = Source(everything, library.queries(), given.seed, Split.TRAIN, everything.trained)
    with opened(given.judge) as reader:
        print(json.dumps(seen(reader, drawn, dialogues=given.dialogues), indent=2))
