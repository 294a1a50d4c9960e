"""The store's encoder for texts of others: a text becomes a vector, away from the event loop."""

import asyncio

from principles_store.store import PrinciplesStore


class StoreEncoder:
    """One text at a time, so that a long list leaves the processor to people who wait for an answer."""

    def __init__(self, store: PrinciplesStore) -> None:
        self._encoder = store.encoder
        self._one = asyncio.Semaphore(1)

    @property
    def name(self) -> str:
        """Which model it is."""
        return self._encoder.description.name

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return self._encoder.dimension

    @property
    def max_tokens(self) -> int:
        """The longest text that is read whole."""
        return self._encoder.description.max_tokens

    async def count(self, text: str) -> int:
        """Tokens of the text."""
        async with self._one:
            return await asyncio.to_thread(self._encoder.count, text)

    async def embed(self, text: str) -> bytes:
        """The text's unit vector as little-endian 32-bit floats."""
        async with self._one:
            vector = await asyncio.to_thread(self._encoder.encode_one, text)
        return vector.astype("<f4").tobytes()
