"""Counting tokens with the server's own tokenizer, in whichever dialect it has: vLLM's, llama.cpp's or none."""

from enum import StrEnum

import orjson
from pydantic import ValidationError

from service.domain.errors import EngineRefused
from service.engines.chunk import Counted, Tokenized
from service.engines.connection import Connection
from service.engines.endpoint import Endpoint


class _Dialect(StrEnum):
    UNKNOWN = "unknown"
    VLLM = "vllm"
    LLAMA_CPP = "llama_cpp"
    NONE = "none"


class TokenCounter:
    """Asks /tokenize, and remembers which dialect was understood."""

    def __init__(self, connection: Connection, endpoint: Endpoint) -> None:
        self._connection = connection
        self._url = f"{endpoint.root}/tokenize"
        self._dialect = _Dialect.UNKNOWN

    def forget(self) -> None:
        """Look anew at the next call."""
        self._dialect = _Dialect.UNKNOWN

    async def count(self, text: str, *, model: str) -> int | None:
        """Tokens of the text without any that a template would add; None where there is nobody to ask.

        Raises:
            EngineError: the server cannot be reached or broke off.

        """
        for dialect in (_Dialect.VLLM, _Dialect.LLAMA_CPP):
            if self._dialect in {dialect, _Dialect.UNKNOWN}:
                counted = await self._ask(dialect, text, model=model)
                if counted is not None:
                    self._dialect = dialect
                    return counted
        if self._dialect is _Dialect.UNKNOWN:
            self._dialect = _Dialect.NONE
        return None

    async def _ask(self, dialect: _Dialect, text: str, *, model: str) -> int | None:
        # llama.cpp answers vLLM's question too, with an empty list; but it gives no count, so vLLM comes first.
        body: dict[str, object] = (
            {"model": model, "prompt": text, "add_special_tokens": False}
            if dialect is _Dialect.VLLM
            else {"content": text, "add_special": False}
        )
        try:
            said = await self._connection.fetch("POST", self._url, orjson.dumps(body))
            if dialect is _Dialect.VLLM:
                return Counted.model_validate_json(said).count
            return len(Tokenized.model_validate_json(said).tokens)
        except (EngineRefused, ValidationError):
            return None
