"""A checkpoint's GGUF served in this process by llama.cpp, for evaluation: messages in, text or probabilities out."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from service.domain.completion import TokenProbability
from service.domain.conversation import Message

_ALTERNATIVES = 10
_ERRORS_ONLY = 1


class Llama:
    """One slot, one thread, greedy."""

    def __init__(self, path: Path, *, context: int = 2048) -> None:
        # Imported here: only evaluation needs llama.cpp installed.
        import xllamacpp  # noqa: PLC0415

        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.n_ctx, params.n_parallel = context, 1
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
        params.hostnames, params.port = ["127.0.0.1"], 0
        params.cache_ram_mib = 0
        params.verbosity = _ERRORS_ONLY
        params.ui = params.endpoint_slots = params.fit_params = False
        params.offline = True
        self._server = xllamacpp.Server(params)

    @property
    def address(self) -> str:
        """Its own loopback address."""
        return str(self._server.listening_address)

    def reply(self, messages: Sequence[Message], *, most: int, schema: str | None = None) -> str:
        """The greedy reply, of at most `most` tokens; under a JSON schema where one is given."""
        shape = {"response_format": _shape(schema)} if schema else {}
        answer = self._ask(messages, {"max_tokens": most, **shape})
        return str(answer["choices"][0]["message"]["content"] or "")

    def whole(self, messages: Sequence[Message], *, most: int) -> str | None:
        """The greedy reply, or None where it was cut short at `most` tokens."""
        (choice,) = self._ask(messages, {"max_tokens": most})["choices"]
        return None if choice["finish_reason"] == "length" else str(choice["message"]["content"] or "")

    def first_token(self, messages: Sequence[Message]) -> list[TokenProbability]:
        """The likeliest first tokens."""
        answer = self._ask(messages, {"max_tokens": 1, "logprobs": True, "top_logprobs": _ALTERNATIVES})
        first = answer["choices"][0]["logprobs"]["content"][0]
        return [TokenProbability(entry["token"], math.exp(entry["logprob"])) for entry in first["top_logprobs"]]

    def _ask(self, messages: Sequence[Message], more: dict[str, Any]) -> dict[str, Any]:
        body = {
            "messages": [{"role": m.role.value, "content": m.content} for m in messages],
            "temperature": 0.0,
            "cache_prompt": True,
            **more,
        }
        answer = self._server.handle_chat_completions(body)
        parsed: dict[str, Any] = json.loads(answer) if isinstance(answer, str | bytes) else answer
        if "choices" not in parsed:
            raise ValueError(f"llama.cpp answered without choices: {parsed.get('error', parsed)}")
        return parsed


def _shape(schema: str) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "reply", "schema": json.loads(schema), "strict": True}}
