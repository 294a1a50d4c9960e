"""`python -m training.ladder SFT_CHECKPOINT GRPO_CHECKPOINT`: the table of what each step gains, on standard output."""

import argparse
import json
from pathlib import Path
from typing import Final

from training.dialogues import library
from training.gate.judges import opened
from training.gate.rows import Rows
from training.ladder.climb import climbed, page, rows, table

_JUDGE: Final = Path("training/checkpoints/clinalign-judge")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What each step of the way gains.")
    parser.add_argument("sft", type=Path)
    parser.add_argument("grpo", type=Path)
    parser.add_argument("--judge", type=Path, default=_JUDGE, help="Folder of the small judge, or of a checkpoint.")
    parser.add_argument("--dialogues", type=int, default=60)
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rows", type=Path, help="Keep there what the table is reckoned from.")
    given = parser.parse_args()
    drawn = Rows(library=library.load(), queries=library.queries(), count=given.dialogues, seed=given.seed)
    with opened(given.judge) as reader:
        climbs = {name: climbed(getattr(given, name.lower()), drawn, reader) for name in ("SFT", "GRPO")}
    if given.rows:
        given.rows.write_text(json.dumps(rows(climbs)) + "\n", encoding="utf-8")
    figures = table(climbs)
    print(json.dumps(figures) if given.json else page(figures))
