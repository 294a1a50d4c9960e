"""The answering routes as a client knows them: a case becomes each route's body, a reply what was heard."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson

from loadtests.robustness.conversations import Case, Json

# What differs between two answers to the same question without either being another answer.
_OWN = ("id", "created", "timings_ms")


@dataclass(frozen=True, slots=True)
class Heard:
    """What a client is told, streamed or not, put in one form so that the two can be compared.

    `proof` is the object of POST /chat. `faults` are breaches of the stream's own form, such as words that do not add
    up to the answer.
    """

    status: int
    text: str = ""
    calls: tuple[tuple[str, str], ...] = ()
    finish_reason: str | None = None
    usage: Json | None = None
    error: Json | None = None
    proof: Json = field(default_factory=dict)
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """One answering route: its body for a case (None where it cannot say it), and how its replies are read."""

    path: str
    body: Callable[[Case], Json | None]
    whole: Callable[[Json], Heard]
    streamed: Callable[[list[Json]], Heard]
    stream_fields: Json = field(default_factory=dict)

    async def ask(self, client: aiohttp.ClientSession, address: str, body: Json, *, stream: bool) -> Heard:
        """The reply to this body."""
        sent = {**body, **(self.stream_fields if stream else {}), "stream": stream}
        async with client.post(address + self.path, json=sent) as reply:
            raw = await reply.read()
            if reply.status != 200:
                return Heard(reply.status, error=orjson.loads(raw)["error"])
            return self.streamed(list(events(raw))) if stream else self.whole(orjson.loads(raw))


def events(raw: bytes) -> Iterator[Json]:
    """The data of each event, with its name as `event`; comments and [DONE] are left out."""
    for block in raw.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":") and ": " in line)
        if fields.get("data", "[DONE]") != "[DONE]":
            yield {"event": fields.get("event", ""), **orjson.loads(fields["data"])}


def kept(reply: Json) -> Json:
    """The object of POST /chat without what is any answer's own."""
    return {name: value for name, value in reply.items() if name not in _OWN}


def _chat_body(case: Case) -> Json | None:
    return None if case.fields else {"messages": case.messages, **case.terms}


def _chat_whole(reply: Json) -> Heard:
    return Heard(200, reply["answer"], proof=kept(reply), usage=reply["usage"])


def _chat_streamed(told: list[Json]) -> Heard:
    if told[-1]["event"] == "error":
        return Heard(200, error=told[-1]["error"])
    said = "".join(one["text"] for one in told if one["event"] == "delta")
    reply = {name: value for name, value in told[-1].items() if name != "event"}
    faults = () if said == reply["answer"] else ("the deltas are not the answer",)
    return Heard(200, said, proof=kept(reply), usage=reply["usage"], faults=faults)


def _completion_body(case: Case) -> Json:
    return {"messages": case.messages, **case.fields, **({"clinalign": case.terms} if case.terms else {})}


def _completion_whole(reply: Json) -> Heard:
    choice = reply["choices"][0]
    calls = tuple(_call(call["function"]) for call in choice["message"].get("tool_calls") or ())
    text = choice["message"]["content"] or ""
    return Heard(200, text, calls, choice["finish_reason"], reply["usage"], proof=kept(reply["clinalign"]))


def _completion_streamed(told: list[Json]) -> Heard:
    if "error" in told[-1]:
        return Heard(200, error=told[-1]["error"])
    *chunks, usage = told
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    calls = tuple(_call(call["function"]) for delta in deltas for call in delta.get("tool_calls") or ())
    end = chunks[-1]
    faults = []
    if deltas[0].get("role") != "assistant" or any("role" in delta for delta in deltas[1:]):
        faults.append("the role is not told once, at first")
    if [chunk["choices"][0]["finish_reason"] for chunk in chunks[:-1]] != [None] * (len(chunks) - 1):
        faults.append("an early finish_reason")
    if usage["choices"] or len({chunk["id"] for chunk in told}) != 1:
        faults.append("the last chunk is not the usage, or the ids differ")
    text = "".join(delta.get("content") or "" for delta in deltas)
    reason = end["choices"][0]["finish_reason"]
    return Heard(200, text, calls, reason, usage["usage"], proof=kept(end["clinalign"]), faults=tuple(faults))


def _call(function: Json) -> tuple[str, str]:
    return function["name"], function["arguments"]


def _responses_body(case: Case) -> Json | None:
    fields = dict(case.fields)
    body: Json = {"input": list(_items(case.messages)), **({"clinalign": case.terms} if case.terms else {})}
    if tools := fields.pop("tools", None):
        body["tools"] = [{"type": "function", **tool["function"]} for tool in tools]
    if isinstance(choice := fields.pop("tool_choice", None), dict):
        body["tool_choice"] = {"type": "function", **choice["function"]}
    elif choice:
        body["tool_choice"] = choice
    if shape := fields.pop("response_format", None):
        body["text"] = {"format": {"type": shape["type"], **shape.get("json_schema", {})}}
    if most := fields.pop("max_tokens", None):
        body["max_output_tokens"] = most
    return {**body, **fields}


def _items(messages: list[Json]) -> Iterator[Json]:
    for message in messages:
        if message["role"] == "tool":
            output = {"call_id": message["tool_call_id"], "output": message["content"]}
            yield {"type": "function_call_output", **output}
            continue
        if message.get("content") is not None:
            yield {"role": message["role"], "content": message["content"]}
        for call in message.get("tool_calls") or ():
            yield {"type": "function_call", "call_id": call["id"], **call["function"]}


def _response_whole(reply: Json) -> Heard:
    items = reply["output"]
    text = "".join(part["text"] for item in items if item["type"] == "message" for part in item["content"])
    calls = tuple(_call(item) for item in items if item["type"] == "function_call")
    reason = f"{reply['status']} {(reply['incomplete_details'] or {}).get('reason', '')}".strip()
    return Heard(200, text, calls, reason, reply["usage"], proof=kept(reply["clinalign"]))


def _response_streamed(told: list[Json]) -> Heard:
    if told[-1]["event"] == "error":
        return Heard(200, error=told[-1]["error"])
    heard = _response_whole(told[-1]["response"])
    faults = []
    if [one["sequence_number"] for one in told] != list(range(len(told))):
        faults.append("the events are not numbered from 0")
    if "".join(one["delta"] for one in told if one["type"] == "response.output_text.delta") != heard.text:
        faults.append("the deltas are not the answer")
    said = "".join(one["delta"] for one in told if one["type"] == "response.function_call_arguments.delta")
    if said != "".join(arguments for _, arguments in heard.calls):
        faults.append("the deltas are not the arguments")
    return Heard(
        heard.status, heard.text, heard.calls, heard.finish_reason, heard.usage, proof=heard.proof, faults=tuple(faults)
    )


CHAT = Route("/chat", _chat_body, _chat_whole, _chat_streamed)
COMPLETIONS = Route(
    "/v1/chat/completions",
    _completion_body,
    _completion_whole,
    _completion_streamed,
    {"stream_options": {"include_usage": True}},
)
RESPONSES = Route("/v1/responses", _responses_body, _response_whole, _response_streamed)
ROUTES = (CHAT, COMPLETIONS, RESPONSES)


def said_by(heard: Heard) -> dict[str, Any]:
    """What a caller would call the answer: outcome, reason, verdicts, revisions, scores, text, calls, usage."""
    return {
        # A stream that opened before it was refused has said 200 already; the error says the rest.
        "status": None if heard.error else heard.status,
        "text": heard.text,
        "calls": heard.calls,
        "finish_reason": heard.finish_reason,
        "usage": heard.usage,
        "error": heard.error,
        "proof": heard.proof,
    }
