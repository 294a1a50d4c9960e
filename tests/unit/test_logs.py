"""A log line is one JSON object with an event and the fields that were given: nothing a person wrote gets in."""

import asyncio
import gc
import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.observability import logs
from service.observability.logs import event


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    before = (logs.LOGGER.handlers, logs.LOGGER.level, logs.LOGGER.propagate)
    logs.set_up("INFO")
    yield stream
    logs.LOGGER.handlers, logs.LOGGER.propagate = before[0], before[2]
    logs.LOGGER.setLevel(before[1])


def test_a_line_holds_the_event_its_time_and_level_and_the_given_fields_alone(lines: io.StringIO) -> None:
    event("answered", id="chat_1", outcome="released", tokens=12, total_ms=3.5, reason=None)
    (line,) = lines.getvalue().splitlines()
    told = json.loads(line)
    assert told.pop("at") > 0
    assert told == {
        "level": "info",
        "event": "answered",
        "id": "chat_1",
        "outcome": "released",
        "tokens": 12,
        "total_ms": 3.5,
        "reason": None,
    }


@pytest.mark.parametrize(
    "value",
    ["I have chest pain", "two\nlines", "tab\there", "x" * 257, 'a"quote', "Hast du Schmerzen?"],
    ids=["a sentence", "a line break", "a tab", "too long", "a quotation", "a question"],
)
def test_what_a_person_could_have_written_is_left_out(lines: io.StringIO, value: str) -> None:
    event("request", route=value)
    assert json.loads(lines.getvalue())["route"] == "(left out)"


@pytest.mark.parametrize(
    "value",
    [
        "/principles/{principle_id:path}",
        "req_01HF-9",
        "http://127.0.0.1:8080",
        "/srv/service/app.py:12",
        "Qwen/Qwen3-4B",
        "urgency.stroke#calls",
        "<lambda>",
        "",
    ],
)
def test_names_ids_routes_and_paths_are_told(lines: io.StringIO, value: str) -> None:
    event("request", route=value)
    assert json.loads(lines.getvalue())["route"] == value


@given(st.text())
def test_no_text_of_several_words_is_ever_told(text: str) -> None:
    told = logs._told(text)
    assert told in {text, "(left out)"}
    assert told == "(left out)" or len(text.split()) <= 1


def test_lines_below_the_level_are_not_written(lines: io.StringIO) -> None:
    event("detail", level=logging.DEBUG)
    assert lines.getvalue() == ""


def test_a_line_is_not_written_again_by_the_root_logger(lines: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    again = io.StringIO()
    monkeypatch.setattr(logging.getLogger(), "handlers", [logging.StreamHandler(again)])
    event("gateway.serving", version="0.1.0")
    assert len(lines.getvalue().splitlines()) == 1
    assert again.getvalue() == ""


async def test_what_the_event_loop_complains_of_is_told_without_its_words(lines: io.StringIO) -> None:
    async def fails() -> None:
        raise ValueError("zqxwcanary")

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(logs.on_loop_error)
    task = loop.create_task(fails())
    await asyncio.wait({task})
    del task
    gc.collect()
    (line,) = lines.getvalue().splitlines()
    assert json.loads(line)["error"] == "ValueError"
    assert "zqxwcanary" not in line
