"""The HTTP server: a first signal drains it, a second one cuts it."""

import time
from types import FrameType

import uvicorn

from service.gateway.doors import Doors

_GOODBYE_S = 1


class Server(uvicorn.Server):
    """Listens on while it drains, so that whoever comes is told to go elsewhere rather than left without a word.

    It ends when nobody is inside any more, after `drain_s` seconds at the latest, or at a second signal.
    """

    def __init__(self, config: uvicorn.Config, *, doors: Doors, drain_s: float) -> None:
        config.timeout_graceful_shutdown = _GOODBYE_S  # by then all that is left is to be cut
        super().__init__(config)
        self._doors = doors
        self._drain_s = drain_s
        self._ends_at = 0.0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal; it is not raised again later, so that what the process holds is closed in order."""
        del sig, frame
        if self._doors.is_closing:
            self.should_exit = self.force_exit = True
        else:
            self._ends_at = time.monotonic() + self._drain_s
            self._doors.close()

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: whether to end."""
        if self._doors.is_closing and (not self._doors.inside or time.monotonic() >= self._ends_at):
            self.should_exit = True
        return await super().on_tick(counter)
