"""One reply that several clients wait for: its work goes on until the last of them has left."""

import asyncio

from starlette.types import Message, Scope, Send


class SharedReply:
    """What the work writes is told to every reader from its beginning; the work hears when nobody reads any more."""

    def __init__(self, fingerprint: str, body: bytes, scope: Scope) -> None:
        self.fingerprint = fingerprint
        self.scope: Scope = {**scope, "state": dict(scope["state"])}
        self.messages: list[Message] = []
        self.failure: Exception | None = None
        self.readers = 0
        self._request: Message | None = {"type": "http.request", "body": body, "more_body": False}
        self._ended = False
        self._left = asyncio.Event()
        self._changed = asyncio.Event()

    @property
    def is_given_up(self) -> bool:
        """Whether its last reader has left, so that its work is ending."""
        return self._left.is_set()

    @property
    def is_whole(self) -> bool:
        """Whether the reply's last byte has been said."""
        last = self.messages[-1] if self.messages else {"type": ""}
        return last["type"] == "http.response.body" and not last.get("more_body", False)

    async def receive(self) -> Message:
        """What the work hears: the request, and the end of the last reader."""
        if (request := self._request) is not None:
            self._request = None
            return request
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take what the work says."""
        self.messages.append(message)
        self._tell()

    def end(self) -> None:
        """Nothing more will be said."""
        self._ended = True
        self._tell()

    async def read(self, send: Send) -> None:
        """Pass everything on, and what is still to come, up to the reply's last byte or the end of the work."""
        self.readers += 1
        told = 0
        try:
            while told < len(self.messages) or not (self._ended or self.is_whole):
                if told == len(self.messages):
                    await self._changed.wait()
                    continue
                await send(_own(self.messages[told]))
                told += 1
        finally:
            self.readers -= 1
            if not self.readers and not self.is_whole:
                self._left.set()

    async def closed(self) -> None:
        """Wait for the end of the work, and raise the error that ended it."""
        while not self._ended:
            await self._changed.wait()
        if self.failure is not None:
            raise self.failure

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _own(message: Message) -> Message:
    """A copy: whoever passes headers on adds to them."""
    return {**message, "headers": list(message["headers"])} if "headers" in message else message
