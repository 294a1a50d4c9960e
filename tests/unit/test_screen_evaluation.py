"""The evaluation counts by label and fold, bounds its rates, and names a file that it cannot read."""

import gzip
import json
from pathlib import Path

import pytest

from service.domain.conversation import Conversation, Message, Role
from service.domain.errors import SettingsError
from service.pipeline.screen.evaluation import Fold, Report, Row, evaluate, read_rows, wilson


def row(text: str, label: str = "routine") -> Row:
    return Row(Conversation((Message(Role.USER, text),)), label)


def counts(report: Report, label: str) -> tuple[int, int]:
    rates = [report.rate(label, fold) for fold in Fold]
    return sum(rate.flagged for rate in rates), sum(rate.total for rate in rates)


def test_rows_are_counted_by_label() -> None:
    emergent = [row("I can't breathe", "emergent"), row("hello", "emergent"), row("a mild cough", "non-emergent")]
    report = evaluate(emergent, [row("how do I sleep better?"), row("my chest hurts", "whatever")])

    assert counts(report, "emergent") == (1, 2)
    assert counts(report, "non-emergent") == (0, 1)
    assert counts(report, "routine") == (1, 2)
    assert report.false_alarms == {"cardiac": 1}


def test_a_row_keeps_its_fold_whatever_comes_after() -> None:
    first = row("I have a cough")
    longer = Row(Conversation((*first.conversation.messages, Message(Role.USER, "and a fever"))), "routine")

    assert first.fold is longer.fold


def test_both_folds_are_used() -> None:
    assert {row(f"question {number}").fold for number in range(50)} == set(Fold)


def test_no_rows_are_no_evidence() -> None:
    rate = evaluate([], []).rate("emergent", Fold.REPORTING)

    assert (rate.flagged, rate.total, rate.low, rate.high, rate.share) == (0, 0, 0.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("successes", "total", "low", "high"), [(0, 10, 0.0, 0.278), (8, 10, 0.490, 0.943), (10, 10, 0.722, 1.0)]
)
def test_the_interval_is_wilsons(successes: int, total: int, low: float, high: float) -> None:
    assert wilson(successes, total) == pytest.approx((low, high), abs=0.001)


def test_a_report_is_ready_for_json() -> None:
    report = evaluate([row("I can't breathe", "emergent")], [])

    assert json.loads(json.dumps(report.as_dict()))["rates"][0]["share"] == 1.0


ROWS = [
    {"first_user_turn": "a", "label": "emergent"},
    {"Question": "b"},
    {"question": "c"},
    {"text": "d"},
    {
        "prompt": [
            {"role": "user", "content": "e"},
            {"role": "assistant", "content": "f"},
            {"role": "user", "content": "g"},
        ]
    },
    {"text": "d"},
]


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_rows_are_read_from_every_known_shape_each_text_once(tmp_path: Path, name: str) -> None:
    content = "\n".join(json.dumps(r) for r in ROWS).encode()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)

    rows = read_rows(tmp_path / name)

    assert [r.conversation.question for r in rows] == ["a", "b", "c", "d", "g"]
    assert [r.label for r in rows] == ["emergent", "routine", "routine", "routine", "routine"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read as lines of JSON"),
        ("[1]", "rows.jsonl:1: a row is a JSON object"),
        ('{"text": "x"}\n{"secret": "words"}', "rows.jsonl:2: no text under any of"),
        ('{"prompt": [{"role": "king", "content": "x"}]}', "cannot be read as lines of JSON"),
    ],
)
def test_a_wrong_file_is_named_and_never_quoted(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "rows.jsonl").write_text(content)

    with pytest.raises(SettingsError, match=message) as caught:
        read_rows(tmp_path / "rows.jsonl")
    assert "words" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.jsonl"):
        read_rows(tmp_path / "absent.jsonl")
