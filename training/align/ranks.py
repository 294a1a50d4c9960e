"""Which process does what where accelerate started several: files are the main one's; the others wait for it."""

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import torch
from accelerate import PartialState

_Result = TypeVar("_Result")
# The main process writes rollouts for hours while the others wait; a group's own patience ends after minutes.
_PATIENCE = timedelta(days=7)


def ranks() -> PartialState:
    """The processes of this run: one, unless accelerate started more."""
    return PartialState(cpu=not torch.cuda.is_available(), timeout=_PATIENCE)  # as the optimisers choose


def on_main(work: Callable[[], _Result]) -> _Result | None:
    """Done by the main process alone, while the others wait; None for them."""
    found = work() if ranks().is_main_process else None
    ranks().wait_for_everyone()
    return found
