"""The doors of the gateway: open until it is told to end; then nobody else is let in."""

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import Request


class Doors:
    """`inside` requests are being answered, `most` at once."""

    def __init__(self, *, most: int = 1024) -> None:
        self.inside = 0
        self.most = most
        self.is_closing = False

    @property
    def is_crowded(self) -> bool:
        """Whether nobody else fits: each request inside may hold a whole body."""
        return self.inside >= self.most

    def close(self) -> None:
        """Let nobody else in."""
        self.is_closing = True

    @contextmanager
    def passed(self) -> Iterator[None]:
        """One request, from its head to the last byte of its reply."""
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1


def doors_of(request: Request) -> Doors:
    """The ones of this web application."""
    doors: Doors = request.app.state.doors
    return doors
