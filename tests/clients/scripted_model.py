"""The model behind the gateway that real clients are set on: its drafts lack one thing, which a revision puts in.

So a client that shows the thing was given the guarded answer. A question that names `UNSAFE` gets a draft that no
revision mends, and nothing of it may reach a client.
"""

import json
from typing import Any

from loadtests.simulated_vllm import SimulatedVllm, Simulation
from principles_store.loading import load_principles
from principles_store.paths import Places
from principles_store.schema import Polarity

UNSAFE = "leftover antibiotics"
DRAFT = "Rest and drink enough."
_SURE = 0.99
# Slow enough that a stream has to be kept alive while its answer is checked.
_PACE = Simulation(model="scripted", ttft_s=0.02, prefill_s=0.0, inter_token_s=0.0005)
_CALLS = "[calls "


def missing_thing() -> str:
    """What every draft lacks: the heaviest thing that every answer must do."""
    criteria = [c for p in load_principles(Places.from_environment().principles) if p.always_on for c in p.criteria]
    return max((c for c in criteria if c.polarity is Polarity.MUST), key=lambda criterion: criterion.weight).text


def scripted_model() -> SimulatedVllm:
    """The model, ready to be served."""
    model = SimulatedVllm(_PACE)
    model.prose = _prose
    model.presence = Presence(missing_thing())
    return model


class Presence:
    """Finds every criterion complied with, but `missing` until it is there, and none by an answer that is unsafe."""

    def __init__(self, missing: str) -> None:
        self._missing = missing
        principles = load_principles(Places.from_environment().principles)
        self._musts = {c.text for p in principles for c in p.criteria if c.polarity is Polarity.MUST}

    def __call__(self, criterion: str, draft: str) -> float:
        if criterion == self._missing:
            return _SURE if criterion in draft or _has_no_room(draft) else 1 - _SURE
        wanted = criterion in self._musts
        return _SURE if wanted is not (UNSAFE in draft) else 1 - _SURE


def _has_no_room(draft: str) -> bool:
    """Whether nothing can be said in it: a tool call, or JSON without a free string."""
    if draft.startswith(_CALLS):
        return True
    try:
        json.loads(draft)
    except ValueError:
        return False
    return DRAFT not in draft


def _prose(messages: list[dict[str, Any]]) -> str:
    """A short answer; after a tool's result, with the result in it."""
    if any(UNSAFE in (message.get("content") or "") for message in messages if message["role"] == "user"):
        return f"Take the {UNSAFE} of your neighbour."
    results = [message["content"] for message in messages if message["role"] == "tool"]
    told = f" I looked it up: {results[-1]}." if results else ""
    return f"{DRAFT}{told} See a doctor if it lasts longer than a week."
