"""Who follows an answer as it is made."""

from typing import Protocol


class Watcher(Protocol):
    """A stream to the caller, or nobody."""

    def stage(self, name: str) -> None:
        """Called when a stage begins."""
        ...

    def provisional(self, text: str) -> None:
        """Called with each piece of the draft, which nobody has judged yet."""
        ...


class Unwatched:
    """Nobody follows."""

    def stage(self, name: str) -> None:
        """Nothing happens."""

    def provisional(self, text: str) -> None:
        """Nothing happens."""
