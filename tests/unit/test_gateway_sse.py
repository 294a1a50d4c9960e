"""The grammar of our own streams."""

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from service.engines.sse import Events
from service.gateway import sse
from service.gateway.answering import Given
from service.gateway.openai_reply import Chunks
from tests.gateway_fakes import events

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(TEXT)
def test_words_joined_are_the_text(text: str) -> None:
    assert "".join(sse.words(text)) == text


@given(TEXT)
def test_no_word_is_long(text: str) -> None:
    assert all(len(word.rstrip()) <= 24 for word in sse.words(text))


@given(TEXT, st.sampled_from([None, "delta"]))
def test_an_event_is_one_data_line_that_reads_back(text: str, name: str | None) -> None:
    raw = sse.event({"text": text}, name=name)
    lines = raw.decode().split("\n")
    assert lines[-2:] == ["", ""]
    assert [line.split(":")[0] for line in lines[:-2]] == (["event"] if name else []) + ["data"]
    assert b"\r" not in raw
    assert [orjson.loads(data) for data in Events().feed(raw)] == [{"text": text}]


@given(TEXT)
def test_deltas_are_every_word_in_order(text: str) -> None:
    pieces = list(sse.deltas(text, lambda word: sse.event({"text": word})))
    assert "".join(data["text"] for _, data in events(b"".join(pieces))) == text
    assert len(pieces) <= len(text) // 16 + 1


def test_a_comment_is_skipped_by_a_reader() -> None:
    assert list(Events().feed(sse.comment("checking"))) == []


@given(TEXT, st.booleans())
def test_a_completions_chunks_end_with_the_reason_and_done(text: str, usage: bool) -> None:
    tokens = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "cached_tokens": 0, "by_stage": {}}
    reply: Any = {"id": "chat_1", "created": 1, "model": "m", "answer": text, "usage": tokens}
    chunks = Chunks("chat_1", "m", usage=usage, parallel=True)
    told = events(b"".join([b"".join(chunks.opening()), *chunks.answer(Given(reply))]))
    assert told[-1] == ("", "[DONE]")
    *_, last = [data for _, data in told[:-1] if data["choices"]]
    assert (last["choices"][0]["finish_reason"], last["clinalign"]["answer"]) == ("stop", text)
    assert [data["usage"] for _, data in told[:-1] if not data["choices"]] == (
        [
            {
                "prompt_tokens": 1,
                "completion_tokens": 2,
                "total_tokens": 3,
                "prompt_tokens_details": {"cached_tokens": 0},
            }
        ]
        if usage
        else []
    )
