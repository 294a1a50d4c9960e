"""What schemathesis sends, mended where it would always be refused for one and the same reason.

Loaded by schemathesis in its own environment, so nothing of ours is imported.
"""

import itertools
from typing import Any

import schemathesis  # type: ignore[import-not-found, unused-ignore]  # pyright: ignore[reportMissingImports]

_numbers = itertools.count()
_QUESTION = {"role": "user", "content": "I have had a cough for three days."}


@schemathesis.hook  # type: ignore[untyped-decorator, unused-ignore]
def before_call(_: Any, case: Any, **__: Any) -> None:
    """A fresh Idempotency-Key, since a key that was sent with another body is a 409; and a question at the end.

    A case that schemathesis made wrong on purpose keeps its body.
    """
    for name in list(case.headers or ()):
        if name.lower() == "idempotency-key":
            case.headers[name] = f"case-{next(_numbers)}"
    if case.meta is None or not case.meta.generation.mode.is_positive or not isinstance(case.body, dict):
        return
    if "deployment" in (case.path_parameters or {}):
        case.path_parameters["deployment"] = "default"
    _ask(case.body)
    for item in case.body["items"] if isinstance(case.body.get("items"), list) else ():
        _ask(item)


def _ask(body: dict[str, Any]) -> None:
    """What no schema can say: the last turn is the user's, tools answer calls, and the model is one that is here."""
    if isinstance(body.get("messages"), list):
        body["messages"] = [turn for turn in body["messages"] if turn.get("role") in {"system", "developer"}]
        for turn in body["messages"]:
            turn.pop("tool_calls", None)
            turn.pop("tool_call_id", None)
        body["messages"].append(dict(_QUESTION))
    if isinstance(body.get("input"), list) and any(isinstance(item, dict) for item in body["input"]):
        body["input"] = [dict(_QUESTION)]
    if "model" in body:
        body["model"] = "default"
    if not body.get("stream"):
        body.pop("stream_options", None)
    if "max_tokens" in body:
        body.pop("max_completion_tokens", None)
    body.pop("reasoning_effort", None)
    body.pop("reasoning", None)
    _calm(body)


def _calm(body: dict[str, Any]) -> None:
    """Options within the gateway's limits, which an operator may set."""
    terms = body.get("clinalign") if isinstance(body.get("clinalign"), dict) else body
    options = terms.get("options") if isinstance(terms, dict) else None
    if isinstance(options, dict):
        options.pop("deadline_ms", None)
        options.pop("max_revisions", None)
