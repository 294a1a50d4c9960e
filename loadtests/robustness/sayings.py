"""What the deterministic model says: a function of the request alone, so that the same request is answered the same.

Drafts of many lengths, tool calls, JSON, verdicts and edits, all drawn by hash; some drafts pass, some are mended, some
never pass.
"""

import hashlib
import math
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

import orjson

from principles_store.loading import load_principles
from principles_store.paths import Places
from principles_store.schema import Polarity
from service.prompts.edits import MAX_EDITS, Edit, Op, write
from service.prompts.sentences import split

Json = dict[str, Any]
_TOKEN = re.compile(r"\s?\w+|\s?[^\w\s]|\s")
_VERDICT = re.compile(r"Does it do this\?\n(?P<criterion>.*)\nReply ", re.DOTALL)
_ADD = re.compile(r"^- Add what is missing: (?P<text>.*)$", re.MULTILINE)
_TAKE_OUT = re.compile(r"^- Take out what is forbidden: (?P<text>.*)$", re.MULTILINE)
_NUMBERED = re.compile(r"^\d+\. ", re.MULTILINE)
_PROBES = "Is water wet?"
# It never goes against the advice of a red flag: whether that is seen is asked elsewhere.
DUTY = "Contradicts or weakens the urgent advice"
_SENTENCES = (
    "Rest and drink enough.",
    "A sore throat often gets better within a week.",
    "Take pain relief as the leaflet says.",
    "Tell your doctor about other medicines you take.",
    "See a doctor if it lasts longer than a week.",
    "Get help at once if you cannot swallow or breathe.",
    "What else have you noticed?",
    "Beba agua y descanse; consulte si empeora.",
    "请多休息，如果加重请就医。",  # noqa: RUF001 - Chinese
    "استرح واشرب الماء.",
    "Keep a note of your temperature (38.5 °C or more counts as a fever) 🤒.",
    "Do not take more than 4 g of paracetamol in 24 hours.",
)
_CALLS_A_TOOL = 0.6
_LOW, _SURE = 0.03, 0.97


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """What is drawn how often: criteria that a draft complies with, questions whose drafts never pass, long drafts.

    Ten criteria at the default leave a quarter of the drafts with something to mend.
    """

    complies: float = 0.97
    stubborn: float = 0.12
    long: float = 0.05


class Stage(StrEnum):
    """What a request to the model is for."""

    PROBE = "probe"
    DRAFT = "draft"
    JUDGE = "judge"
    REVISE = "revise"


@dataclass(frozen=True, slots=True)
class Said:
    """A reply: text or tool calls, why it ends, the probability of yes where it is a verdict, and its usage."""

    text: str
    calls: tuple[Json, ...]
    finish_reason: str
    yes: float | None
    usage: Json

    @property
    def tokens(self) -> list[str]:
        """The text in the pieces that a stream has."""
        return _TOKEN.findall(self.text) or [""]


def stage_of(body: Json) -> Stage:
    """What this request is for, by its last messages."""
    messages = body["messages"]
    last = messages[-1].get("content") or ""
    if last.startswith(_PROBES):
        return Stage.PROBE
    if _VERDICT.search(last):
        return Stage.JUDGE
    if messages[-1]["role"] == "user" and (_ADD.search(last) or _TAKE_OUT.search(last)):
        return Stage.REVISE
    return Stage.DRAFT


def said(body: Json, manner: Manner) -> Said:
    """The reply to this request."""
    match stage_of(body):
        case Stage.DRAFT:
            text, calls, yes = *_draft(body, manner), None
        case Stage.JUDGE:
            text, calls, yes = _judged(body, manner)
        case Stage.REVISE:
            text, calls, yes = _revised(body), (), None
        case Stage.PROBE:
            text, calls, yes = _probed(body), (), 0.9
    return _cut(body, text, calls, yes)


def draw(*of: object) -> float:
    """A number in [0, 1) that depends on these alone."""
    digest = hashlib.blake2b(orjson.dumps([str(part) for part in of]), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def instance(schema: Json, *, at: str = "") -> Any:
    """A plain value that fits a schema of objects, arrays and scalars; `at` makes texts differ."""
    if "enum" in schema:
        return schema["enum"][int(draw("enum", at) * len(schema["enum"]))]
    match schema.get("type"):
        case "object":
            return {name: instance(part, at=f"{at}.{name}") for name, part in schema.get("properties", {}).items()}
        case "array":
            count = max(1, schema.get("minItems", 0))
            return [instance(schema.get("items", {}), at=f"{at}[{n}]") for n in range(count)]
        case "integer" | "number":
            return schema.get("minimum", 0)
        case "boolean":
            return draw("boolean", at) < 0.5
        case _:
            return f"text {int(draw('text', at) * 1000)}"


def _question(body: Json) -> str:
    """What the conversation is about: the same through all stages of one answer."""
    asked = [m.get("content") or "" for m in body["messages"] if m["role"] == "user"]
    return asked[0]


def _draft(body: Json, manner: Manner) -> tuple[str, tuple[Json, ...]]:
    key = orjson.dumps([[m["role"], m.get("content")] for m in body["messages"]]).decode()
    tools = body.get("tools") if body.get("tool_choice") != "none" else None
    if tools and (body.get("tool_choice") not in (None, "auto") or draw("tool", key) < _CALLS_A_TOOL):
        return "", (_call(tools, body.get("tool_choice"), key),)
    if schema := _schema(body):
        return orjson.dumps(instance(schema, at=key)).decode(), ()
    if (body.get("response_format") or {}).get("type") == "json_object":
        return orjson.dumps({"advice": _prose(key, manner)}).decode(), ()
    return _prose(key, manner), ()


def _prose(key: str, manner: Manner) -> str:
    count = 200 if draw("long", key) < manner.long else 3 + int(draw("length", key) * 12)
    return " ".join(_SENTENCES[int(draw("sentence", n, key) * len(_SENTENCES))] for n in range(count))


def _call(tools: list[Json], choice: object, key: str) -> Json:
    named = choice["function"]["name"] if isinstance(choice, dict) else None
    function = next((t["function"] for t in tools if t["function"]["name"] == named), tools[0]["function"])
    arguments = orjson.dumps(instance(function["parameters"], at=key)).decode()
    call_id = f"call_{int(draw('id', key) * 1e9)}"
    called = {"name": function["name"], "arguments": arguments}
    return {"index": 0, "id": call_id, "type": "function", "function": called}


def _judged(body: Json, manner: Manner) -> tuple[str, tuple[Json, ...], float]:
    last = body["messages"][-1]["content"]
    found = _VERDICT.search(last)
    criterion = found["criterion"] if found else ""
    draft = next((m.get("content") or "" for m in reversed(body["messages"]) if m["role"] == "assistant"), "")
    complies = criterion in draft or draw("complies", criterion, draft) < manner.complies
    if draw("stubborn", _question(body)) < manner.stubborn and draw("never", criterion) < 0.5:
        complies = False
    if criterion.startswith(DUTY):
        complies = True
    yes = _SURE if complies == (_polarity().get(criterion, Polarity.MUST_NOT) is Polarity.MUST) else _LOW
    if "present" in (_schema(body) or {}).get("properties", {}):
        return orjson.dumps({"present": yes > _LOW}).decode(), (), yes
    return ("Yes" if yes > _LOW else "No"), (), yes


def _revised(body: Json) -> str:
    instruction = body["messages"][-1]["content"]
    draft = body["messages"][-2].get("content") or ""
    wishes, schema = _ADD.findall(instruction), _schema(body)
    if schema is None:
        return f"{draft} {' '.join(wishes)}"
    if "edits" not in schema.get("properties", {}):
        return orjson.dumps(instance(schema, at=instruction)).decode()
    count = len(_NUMBERED.findall(instruction)) or len(split(draft))
    edits = [Edit(Op.INSERT, count - n, wish) for n, wish in enumerate(wishes[: min(count + 1, MAX_EDITS - 1)])]
    if _TAKE_OUT.search(instruction):
        edits.append(Edit(Op.REPLACE, 1 + int(draw("replace", instruction) * count), "Ask a doctor or pharmacist."))
    return write(edits)


def _probed(body: Json) -> str:
    return orjson.dumps(instance(schema)).decode() if (schema := _schema(body)) else "Yes"


def _schema(body: Json) -> Json | None:
    return ((body.get("response_format") or {}).get("json_schema") or {}).get("schema")


def _cut(body: Json, text: str, calls: tuple[Json, ...], yes: float | None) -> Said:
    """At most `max_tokens`, and up to the first stop word."""
    for stop in body.get("stop") or ():
        text = text.split(stop, maxsplit=1)[0]
    tokens = _TOKEN.findall(text)
    most = body.get("max_tokens") or len(tokens)
    reason = "tool_calls" if calls else "length" if len(tokens) > most else "stop"
    prompt = len(_TOKEN.findall(orjson.dumps([body["messages"], body.get("tools")]).decode()))
    written = min(len(tokens), most)
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": written,
        "total_tokens": prompt + written,
        "prompt_tokens_details": {"cached_tokens": prompt // 2},
    }
    return Said("".join(tokens[:most]), calls, reason, yes, usage)


def logprobs(said_: Said, *, most: int) -> Json | None:
    """The first token's alternatives, where it is a verdict."""
    if said_.yes is None or not most:
        return None
    odds = {"Yes": said_.yes * 0.98, "No": (1 - said_.yes) * 0.98}
    top = [{"token": token, "logprob": math.log(odd)} for token, odd in odds.items()]
    return {"content": [{"token": said_.tokens[0], "logprob": -0.1, "top_logprobs": top[:most]}]}


@lru_cache(maxsize=1)
def _polarity() -> dict[str, Polarity]:
    principles = load_principles(Places.from_environment().principles)
    return {criterion.text: criterion.polarity for principle in principles for criterion in principle.criteria}
