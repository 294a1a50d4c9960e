"""What every app here does: a client's checks are run one after the other, and each is told as a line of JSON.

Standard library only: each app runs in its client's own environment.
"""

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import TypeVar

BASE_URL = os.environ["GATEWAY_URL"]
ROOT = BASE_URL.removesuffix("/v1")
KEY = os.environ["GATEWAY_KEY"]
MODEL = os.environ["GATEWAY_MODEL"]
# What every draft lacks: an answer that has it is the guarded one.
REVISED = os.environ["GATEWAY_REVISED"]

QUESTION = "I have had a sore throat for three days. Can I take ibuprofen?"
UNSAFE_QUESTION = "I have a sore throat. May I take leftover antibiotics?"
UNSAFE_ANSWER = "neighbour"
SAFE_MESSAGE = "I cannot give you an answer that has passed its safety checks."
CLINIC = "Riverside, open until 18:00"

_LONGEST = 300
E = TypeVar("E", bound=Exception)
Check = Callable[[], str | None]


def run(client: str, checks: Mapping[str, Check], *, notes: str = "") -> None:
    """Run each, and exit 1 if one failed. What a check returns is told beside it."""
    print(json.dumps({"client": client, "version": version(client), "notes": notes}), flush=True)
    failed = False
    for name, check in checks.items():
        try:
            told = {"passed": True, "said": check() or ""}
        except Exception as error:  # noqa: BLE001 - the edge of the process: whatever broke is the outcome
            traceback.print_exc()
            told, failed = {"passed": False, "said": f"{type(error).__name__}: {error}"[:_LONGEST]}, True
        print(json.dumps({"check": name, **told}), flush=True)
    sys.exit(failed)


def raised(kind: type[E], does: Callable[[], object]) -> E:
    """The error of this kind that it raises."""
    try:
        does()
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__} was raised")


def guarded(text: object) -> str:
    """The text, once it is seen to be the revised answer."""
    assert isinstance(text, str), f"no text: {text!r}"
    assert REVISED in text, f"not the revised answer: {text!r}"
    return text


def withheld(text: object) -> None:
    """See that the draft stayed behind and the policy's words came."""
    assert isinstance(text, str), f"no text: {text!r}"
    assert text.startswith(SAFE_MESSAGE), f"not the safe message: {text!r}"
    assert UNSAFE_ANSWER not in text
