"""Every route that answers, and how each is asked the same: for tests of what must hold on all of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from tests.gateway_fakes import events

COUGH_WORDS = "I have had a cough for three days."
CHEST_WORDS = "I have crushing chest pain and my left arm is numb right now."


def _messages(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}


@dataclass(frozen=True)
class Way:
    """One way to ask."""

    path: str
    asks: Callable[[str], dict[str, Any]]

    def body(self, text: str = COUGH_WORDS, **more: Any) -> dict[str, Any]:
        return {**self.asks(text), **more}


WAYS = {
    "chat": Way("/chat", _messages),
    "chat completions": Way("/v1/chat/completions", _messages),
    "responses": Way("/v1/responses", lambda text: {"input": text}),
    "completions": Way("/v1/completions", lambda text: {"prompt": text}),
    "azure": Way("/openai/deployments/fake/chat/completions?api-version=1", _messages),
    "azure completions": Way("/openai/deployments/fake/completions?api-version=1", lambda text: {"prompt": text}),
    "azure responses": Way("/openai/responses?api-version=1", lambda text: {"input": text}),
    "azure v1": Way("/openai/v1/chat/completions", _messages),
}


def proof(content: bytes, *, stream: bool) -> Any:
    """The object of POST /chat, in whichever reply holds it."""
    if not stream:
        whole = orjson.loads(content)
        return whole.get("clinalign") or whole
    for _, data in reversed(events(content)):
        if isinstance(data, dict):
            for place in (data, data.get("response") or {}):
                if found := place.get("clinalign") or (place if "outcome" in place else None):
                    return found
    raise AssertionError("no proof")


def told(content: bytes, *, stream: bool) -> Any:
    """The error object that a reply or the end of a stream holds."""
    if not stream:
        return orjson.loads(content)["error"]
    return events(content)[-1][1]["error"]
