import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.errors import EngineGarbled
from service.engines.sse import Events


def read(*pieces: bytes, into: Events | None = None) -> list[str]:
    events = into or Events()
    return [data for piece in pieces for data in events.feed(piece)]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        pytest.param(b"data: a\n\n", ["a"], id="one"),
        pytest.param(b"data:a\n\n", ["a"], id="no space"),
        pytest.param(b"data:  a\n\n", [" a"], id="one space only"),
        pytest.param(b"data: a\r\n\r\ndata: b\r\n\r\n", ["a", "b"], id="crlf"),
        pytest.param(b"data: a\r\rdata: b\n\n", ["a", "b"], id="cr"),
        pytest.param(b"data: a\ndata: b\n\n", ["a\nb"], id="two data lines"),
        pytest.param(b": keep-alive\n\n: again\n\ndata: a\n\n", ["a"], id="comments"),
        pytest.param(b"event: x\nid: 1\nretry: 5\ndata: a\n\n", ["a"], id="other fields"),
        pytest.param(b"\xef\xbb\xbfdata: a\n\n", ["a"], id="byte order mark"),
        pytest.param(b"data\n\n", [""], id="no colon"),
        pytest.param(b"data: a\n", [], id="unfinished"),
        pytest.param(b'data: {"a": 1}\n\n\n\n', ['{"a": 1}'], id="blank lines"),
    ],
)
def test_a_stream_reads_as_its_data(stream: bytes, expected: list[str]) -> None:
    assert read(stream) == expected


LINES = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n\ufeff"), max_size=20), max_size=6)


@given(LINES, st.sampled_from(["\n", "\r\n", "\r"]), st.lists(st.integers(0, 400), max_size=30))
def test_how_the_network_cuts_a_stream_changes_nothing(texts: list[str], end: str, cuts: list[int]) -> None:
    stream = "".join(f": c{end}data: {text}{end}{end}" for text in texts).encode()
    places = sorted({min(cut, len(stream)) for cut in cuts} | {0, len(stream)})
    pieces = [stream[start:stop] for start, stop in itertools.pairwise(places)]
    assert read(*pieces) == texts
    assert read(*(bytes([byte]) for byte in stream)) == texts


@given(st.lists(st.binary(max_size=50), max_size=20))
def test_any_bytes_read_as_data_or_are_refused(pieces: list[bytes]) -> None:
    with contextlib.suppress(EngineGarbled):
        assert all(isinstance(data, str) for data in read(*pieces))


def test_a_line_that_never_ends_is_refused() -> None:
    with pytest.raises(EngineGarbled, match="a line of the engine's stream is longer than 100 bytes"):
        read(*[b"data: aaaa"] * 20, into=Events(max_line=100))


def test_a_stream_that_never_ends_is_refused() -> None:
    with pytest.raises(EngineGarbled, match="the engine's stream is longer than 100 bytes"):
        read(*[b"data: aaaa\n\n"] * 20, into=Events(max_total=100))


def test_a_stream_that_is_not_utf8_is_refused_without_its_bytes() -> None:
    with pytest.raises(EngineGarbled, match=r"^the engine's stream is not UTF-8$") as caught:
        read(b"data: secret \xff\n\n")
    assert caught.value.__suppress_context__
