"""What must never leave: an engine's text whose verdicts fail, and a patient's words in errors, logs and metrics."""

import asyncio
import json
import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.completion import Ask, Completion
from service.domain.conversation import ToolCall
from service.domain.enquiry import FailurePolicy, Tenant
from service.gateway.desk import Tenants
from service.observability import logs
from tests.gateway_fakes import CHEST, COUGH, FakeDesk, client_of, events, plays

ROUTES = ("/chat", "/v1/chat/completions")
AZURE = "/openai/deployments/clinalign/chat/completions?api-version=2024-10-21"
FIND: dict[str, Any] = {"type": "function", "function": {"name": "find"}}
# Letters that no word of ours starts with, so that a leak cannot hide behind our own.
UNJUDGED = st.lists(st.from_regex(r"\Aqx[a-z\u00e0-\u00ff\u4e00-\u4e20]{3,12}\Z"), min_size=1, max_size=30)
REFUSING = st.sampled_from([FailurePolicy.SAFE_MESSAGE, FailurePolicy.FAIL_CLOSED])


def asked(fake: FakeDesk, body: dict[str, Any]) -> list[httpx.Response]:
    """Every route that a model's words can leave by, plain and streamed, in this order."""
    question = body["messages"][0]["content"]
    chat, *openai = ((path, body) for path in (*ROUTES, AZURE))
    ways = [chat, *((path, {**each, "tools": [FIND]}) for path, each in openai)]
    ways += [("/v1/completions", {"prompt": question})]
    ways += [("/v1/responses", {"input": question, "tools": [{"type": "function", **FIND["function"]}]})]

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=fake.web)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            bodies = [(path, {**each, "stream": stream}) for path, each in ways for stream in (False, True)]
            return [await client.post(path, json=each) for path, each in bodies]

    return asyncio.run(ask())


@settings(max_examples=40, deadline=None)
@given(draft=UNJUDGED, revision=UNJUDGED, policy=REFUSING, tools=st.booleans(), flagged=st.booleans())
def test_text_whose_verdicts_fail_is_in_no_byte_of_any_reply(
    draft: list[str], revision: list[str], policy: FailurePolicy, tools: bool, flagged: bool
) -> None:
    calls = (ToolCall("call_1", "find", json.dumps({"text": draft})),) if tools else ()
    script = plays(" ".join(draft), revision=" ".join(revision), tool_calls=calls, passes=lambda _: False)
    tenants = Tenants(open_to=Tenant("local", failure_policy=policy, provisional_drafts=True))
    for response in asked(FakeDesk(script, tenants=tenants), CHEST if flagged else COUGH):
        assert response.status_code == 200
        leaked = [word for word in (*draft, *revision) if word in response.text or _escaped(word) in response.text]
        assert not leaked


def _escaped(word: str) -> str:
    return json.dumps(word)[1:-1]


@settings(max_examples=40, deadline=None)
@given(answer=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300).filter(str.strip))
def test_streamed_and_unstreamed_are_the_same_answer(answer: str) -> None:
    first, second, third, fourth, *_, prompt, prompted, response, responded = asked(FakeDesk(plays(answer)), COUGH)
    plain, told, completion = first.json(), events(second.content), third.json()
    chunks = [data for _, data in events(fourth.content) if isinstance(data, dict)]
    assert "".join(data["text"] for name, data in told if name == "delta") == plain["answer"] == answer.strip()
    assert "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks) == plain["answer"]
    assert completion["choices"][0]["message"]["content"] == plain["answer"]
    texts = [data for _, data in events(prompted.content) if isinstance(data, dict)]
    assert "".join(text["choices"][0]["text"] for text in texts) == plain["answer"]
    items = [data for _, data in events(responded.content) if isinstance(data, dict)]
    deltas = [data["delta"] for data in items if data.get("type") == "response.output_text.delta"]
    assert "".join(deltas) == items[-1]["response"]["output"][0]["content"][0]["text"] == plain["answer"]
    same = ("answer", "outcome", "outcome_reason", "verdicts", "revisions", "score", "principles", "usage")
    wholes = (completion, chunks[-1], prompt.json(), texts[-1], response.json(), items[-1]["response"])
    for ours in (told[-1][1], *(whole["clinalign"] for whole in wholes)):
        assert {name: ours[name] for name in same} == {name: plain[name] for name in same}


class Lines(logging.Handler):
    """Every log line, as it would be written."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.setFormatter(logs._Lines())

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.split(".")[0] in {"httpx", "httpcore"}:  # the test's own client
            return
        self.lines.append(self.format(record) + record.getMessage() + str(record.exc_info))


@pytest.fixture
def logged() -> Iterator[Lines]:
    lines = Lines()
    loggers = [logging.getLogger(), logs.LOGGER]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(lines)
        logger.setLevel(logging.DEBUG)
    yield lines
    for logger, level in zip(loggers, levels, strict=True):
        logger.removeHandler(lines)
        logger.setLevel(level)


CANARY = "zqxwcanary"


def wrecks(ask: Ask) -> Completion:
    raise ValueError(ask.prompt.messages[-1].content)


@pytest.mark.parametrize("script", [plays(), plays("Forbiddenword", revision="Forbiddenword"), wrecks])
async def test_a_patients_words_are_in_no_log_metric_error_or_ledger_entry(script: Any, logged: Lines) -> None:
    fake = FakeDesk(script)
    said = {"role": "user", "content": f"I have chest pain and {CANARY}."}
    replies: list[httpx.Response] = []
    async with client_of(fake) as client:
        for path in (*ROUTES, "/screen"):
            for body in (
                {"messages": [said]},
                {"messages": [said, {"role": "assistant", "content": CANARY}]},
                {"messages": [{**said, "role": CANARY}]},
                {"messages": [said], "options": CANARY, "clinalign": CANARY},
            ):
                replies.append(await client.post(path, json=body))  # noqa: PERF401 - one at a time
        replies += [await client.post(f"/{CANARY}?{CANARY}=1"), await client.get(f"/principles/{CANARY}")]
        replies.append(await client.post("/check", json={"messages": [said], "answer": CANARY}))
        metrics = (await client.get("/metrics")).text
    assert not [reply.text for reply in replies if CANARY in reply.text and reply.status_code != 200]
    assert not [line for line in logged.lines if CANARY in line]
    assert CANARY not in metrics
    lines = fake.ledger._lines.values()
    assert not [line for line in lines if CANARY.encode() in line]
    assert any('"event": "request"' in line for line in logged.lines)
