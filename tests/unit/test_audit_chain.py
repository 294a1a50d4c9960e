"""The chain finds any change."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.audit.chain import GENESIS, canonical, read, seal, verify_lines

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ENTRIES = st.lists(
    st.dictionaries(st.text().filter(lambda name: name not in {"prev", "hash"}), JSON, max_size=4),
    min_size=1,
    max_size=5,
)


def written(entries: list[dict[str, object]]) -> bytes:
    head, lines = GENESIS, []
    for entry in entries:
        line, head = seal(entry, prev=head)
        lines.append(line + b"\n")
    return b"".join(lines)


def lines_of(data: bytes) -> list[bytes]:
    """As a file gives them: only a newline ends a line."""
    return io.BytesIO(data).readlines()


@given(ENTRIES)
def test_a_chain_as_written_holds_to_its_last_entry(entries: list[dict[str, object]]) -> None:
    lines = lines_of(written(entries))
    verification = verify_lines(lines)
    assert verification.intact
    assert verification.entries == len(entries)
    assert verification.head == json.loads(lines[-1])["hash"]


@given(ENTRIES, st.data())
def test_any_changed_byte_is_found_and_its_line_named(entries: list[dict[str, object]], data: st.DataObject) -> None:
    whole = written(entries)
    at = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != whole[at]))
    changed = whole[:at] + bytes([byte]) + whole[at + 1 :]
    verification = verify_lines(lines_of(changed))
    assert verification.broken is not None
    assert verification.broken.line == whole[:at].count(b"\n") + 1


@given(ENTRIES.filter(lambda entries: len(entries) > 1), st.data())
def test_a_line_taken_out_of_the_middle_is_found(entries: list[dict[str, object]], data: st.DataObject) -> None:
    lines = lines_of(written(entries))
    gone = data.draw(st.integers(0, len(lines) - 2))
    del lines[gone]
    verification = verify_lines(lines)
    assert verification.broken is not None
    assert verification.broken.line == gone + 1
    assert "missing, added or moved" in verification.broken.why


def test_lines_cut_off_the_end_are_told_by_the_head_and_the_count_alone() -> None:
    lines = lines_of(written([{"id": "a"}, {"id": "b"}]))
    whole, cut = verify_lines(lines), verify_lines(lines[:1])
    assert cut.intact
    assert (cut.entries, cut.head) != (whole.entries, whole.head)


def test_a_write_that_was_cut_short_is_called_so() -> None:
    (line,) = lines_of(written([{"id": "a"}]))
    broken = verify_lines([line, line[:20]]).broken
    assert broken is not None
    assert (broken.line, broken.offset) == (2, len(line))
    assert "cut short" in broken.why


@pytest.mark.parametrize(
    "line",
    [b"", b"[]", b"{}", b'{"prev":1,"hash":"x"}', b"\xff", b"[" * 100_000, b'{"prev":"0","n":1e999,"hash":"x"}'],
    ids=["empty", "list", "no hash", "prev is a number", "not text", "deep", "too large"],
)
def test_a_line_that_no_ledger_wrote_is_none(line: bytes) -> None:
    assert read(line) is None


def test_canonical_json_is_one_line_of_ascii_in_order() -> None:
    assert canonical({"b": "é\n\u2028", "a": [1, 0.5, None]}) == b'{"a":[1,0.5,null],"b":"\\u00e9\\n\\u2028"}'
