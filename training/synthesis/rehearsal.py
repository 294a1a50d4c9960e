"""A rehearsal of synthesis without a model that writes rubrics: a request comes in, a stand-in's reply goes out.

The stand-in copies the first criteria that the request itself shows, so that all later steps have rows to work on.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from training.synthesis.checks import Relation
from training.synthesis.prompt import MOST
from training.synthesis.steps import Stage

_PRINCIPLE = re.compile(r"(\d+)\. ")
_CRITERION = re.compile(r"   - \[(must|must_not), weight (\d+)\] (.+)")


def replies(requests: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Lines of a batch's output for rubrics and their pairs among the requests; the others are for a model."""
    for request in requests:
        text = _said(request["custom_id"].split("/")[1], request["body"])
        if text is not None:
            choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
            yield {
                "custom_id": request["custom_id"],
                "response": {"status_code": 200, "body": {"choices": [choice], "usage": {}}},
            }


def _said(stage: str, body: Mapping[str, Any]) -> str | None:
    """A rubric that was copied, and that its items fit."""
    match stage:
        case Stage.RUBRIC:
            return json.dumps({"items": _copied(body["messages"][-1]["content"])})
        case Stage.PAIRS:
            pairs = body["response_format"]["json_schema"]["schema"]["required"]
            return json.dumps(dict.fromkeys(pairs, Relation.FITS.value))
        case _:
            return None


def _copied(asked: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    number = 0
    for line in asked.splitlines():
        if found := _PRINCIPLE.match(line):
            number = int(found[1])
        elif found := _CRITERION.fullmatch(line):
            items.append({"principle": number, "criterion": found[3], "polarity": found[1], "weight": int(found[2])})
    return items[:MOST]
