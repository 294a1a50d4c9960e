"""What a stage's reward has scored, over all processes that worked on it: kept in the run's figures with each state."""

from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from training.align.folder import note, noted
from training.align.ranks import ranks
from training.reward.scorer import Scorer, Tally


class KeptTally(TrainerCallback):
    """Goes on from what was kept. What was scored after the last state and lost to a kill is done, and counted, again.

    Of several processes it is the main one's share.
    """

    def __init__(self, folder: Path, kind: str, scorer: Scorer) -> None:
        self._folder, self._name, self._scorer = folder, f"reward_{kind}", scorer
        known = noted(folder).get(self._name)
        scorer.tally = Tally.after(known) if known else Tally()

    def keep(self) -> None:
        """Writes it down."""
        if ranks().is_main_process:
            note(self._folder, {self._name: {"judge": self._scorer.judge.name, **self._scorer.tally.as_dict()}})

    def on_save(self, *_: Any, **__: Any) -> None:
        """The trainer's state was written."""
        self.keep()
