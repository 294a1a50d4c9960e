"""The evaluation counts by source, label and fold, bounds its rates, and names a file that it cannot read."""

import gzip
import json
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.conversation import Conversation, Message, Role
from service.domain.errors import SettingsError
from service.pipeline.screen import Screen
from service.pipeline.screen.counting import Tally, tally, wilson
from service.pipeline.screen.evaluation import CONVERSATIONS, QUESTIONS, Report, evaluate
from service.pipeline.screen.held_out import held_out
from service.pipeline.screen.page import section
from service.pipeline.screen.rows import Fold, Row, each_row
from service.pipeline.screen.timing import AIM, timed
from service.pipeline.screen.tuning import curve, read_tuning
from tests.screen_fakes import EXAMPLES, head_of


def row(text: str, label: str = "routine") -> Row:
    return Row(Conversation((Message(Role.USER, text),)), label)


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text("\n".join(json.dumps(r) for r in rows))
    return path


def counts(report: Report, label: str, source: str = "rules") -> tuple[int, int]:
    rates = [report.rate(label, fold, source=source) for fold in Fold]
    return sum(rate.flagged for rate in rates), sum(rate.total for rate in rates)


EMERGENT = [
    {"text": "I can't breathe", "label": "emergent"},
    {"text": "violin lessons cost money", "label": "emergent"},
    {"text": "my lantern glows strangely", "label": "emergent"},
    {"text": "a mild cough", "label": "non-emergent"},
]
ROUTINE = [{"text": "how do I sleep better?"}, {"text": "my chest hurts", "label": "whatever"}]


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return write(tmp_path / "emergent.jsonl", EMERGENT), write(tmp_path / "questions.jsonl", ROUTINE)


def test_rows_are_counted_by_label_and_routine_ones_under_their_file(files: tuple[Path, Path]) -> None:
    report = evaluate(files[0], [files[1]], screen=Screen())

    assert counts(report, "emergent") == (1, 3)
    assert counts(report, "non-emergent") == (0, 1)
    assert counts(report, "questions") == (1, 2)
    assert report.families["rules"]["questions"] == {"cardiac": 1}
    assert (report.own, report.curve) == ((), ())


def test_rules_head_and_both_are_counted_apart(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.pipeline.screen.evaluation.read_examples", lambda: EXAMPLES)
    report = evaluate(files[0], [files[1]], screen=Screen(head=head_of()))

    rules, head, both = (counts(report, "emergent", source) for source in ("rules", "head", "both"))
    assert rules == (1, 3)
    assert both == (2, 3)  # the rules' one, and the lantern that only the head knows
    assert 1 <= head[0] <= 2
    assert {rate.fold for rate in report.own} == {"group", "row"}
    assert {times.work for times in report.milliseconds} == {"rules", "head_encoded"}
    assert json.loads(json.dumps(report.as_dict()))["rates"][0]["share"] >= 0.0


def test_the_rules_are_timed_on_questions_and_on_whole_conversations(files: tuple[Path, Path], tmp_path: Path) -> None:
    turns = [{"role": "user", "content": f"my cough number {n}"} for n in range(300)]
    lines = [json.dumps({"prompt": [{"role": "user", "content": str(n)}, *turns]}) for n in range(6)]
    whole = tmp_path / "whole.jsonl"
    whole.write_text("\n".join(lines))
    report = evaluate(files[0], [files[1]], screen=Screen(), conversations=whole)

    questions, long = report.milliseconds
    assert (questions.over, long.over) == (QUESTIONS, CONVERSATIONS)
    assert questions.rows == len(read_tuning(files[0])) + len(read_tuning(files[1]))
    assert 0 < long.rows < 6
    assert 0 < questions.median <= questions.p90 <= questions.p99
    assert (long.median > questions.p99, long.beyond) == (True, 1.0)
    assert "Long conversations miss 1 ms: 100.0% of the whole ones take more." in section(report, command="x")


def test_percentiles_are_of_the_slowest() -> None:
    sample = [row(str(n)).conversation for n in range(10)]
    slept = timed("rules", QUESTIONS, sample, lambda c: time.sleep(0.003 if c.question == "9" else 0))

    assert slept.median < AIM < slept.p90
    assert slept.beyond == pytest.approx(0.1)


def test_a_large_sample_is_taken_evenly() -> None:
    read: list[Conversation] = []
    sample = [row(str(n)).conversation for n in range(2_500)]

    assert timed("rules", QUESTIONS, sample, read.append).rows == len(read) / 3 == 834
    assert (read[0].question, read[-1].question) == ("0", "2499")


def test_no_conversation_is_timed_where_none_is_given(files: tuple[Path, Path]) -> None:
    report = evaluate(files[0], [files[1]], screen=Screen())

    assert {times.over for times in report.milliseconds} == {QUESTIONS}
    assert "miss 1 ms" not in section(report, command="x")


def test_the_page_says_what_an_edition_owes_to_the_fold_that_is_reported(files: tuple[Path, Path]) -> None:
    text = section(evaluate(files[0], [files[1]], screen=Screen()), command="clinalign evaluate redflags")
    assert "`reporting` was only counted, but it has been counted" in text
    assert "One edition was made because the count before it had more false alarms than the aim" in text


def test_a_row_keeps_its_fold_whatever_comes_after() -> None:
    first = row("I have a cough")
    longer = Row(Conversation((*first.conversation.messages, Message(Role.USER, "and a fever"))), "routine")

    assert first.fold is longer.fold


def test_both_folds_are_used() -> None:
    assert {row(f"question {number}").fold for number in range(50)} == set(Fold)


@given(st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=30))
@settings(max_examples=50, deadline=None)
def test_what_is_tuned_on_holds_no_reporting_row(texts: list[str]) -> None:
    with TemporaryDirectory() as folder:
        path = write(Path(folder) / "rows.jsonl", [{"text": text} for text in texts])
        every = {r.conversation for r in each_row(path)}
        given_out = read_tuning(path)

    assert all(r.fold is Fold.TUNING for r in given_out)
    assert {r.conversation for r in given_out} == {c for c in every if Row(c, "").fold is Fold.TUNING}


def test_a_tally_keeps_no_row() -> None:
    into = Tally()
    tally([row("secret words")], lambda _: {"rules": ("cardiac",)}, into=into)

    assert "secret" not in repr(into)
    assert [(rate.flagged, rate.total) for rate in into.rates()] == [(1, 1)]


def test_a_curve_falls_as_the_threshold_rises() -> None:
    low, high = curve([0.1, 0.6, float("inf")], {"q": [-1.0, 0.2]}, thresholds=(0.0, 0.5))

    assert (low.sensitivity, low.false_alarms["q"]) == (1.0, 0.5)
    assert high.sensitivity == pytest.approx(2 / 3)
    assert high.false_alarms["q"] == 0.0


def test_a_group_is_never_learned_from_while_it_is_judged() -> None:
    rates = held_out(EXAMPLES, head_of().weights, screen=Screen()).rates()
    by_fold = {rate.fold: rate for rate in rates if (rate.source, rate.label) == ("head", "all danger")}

    # No two groups of these examples share a word: a head that has not seen the group knows nothing of it.
    assert by_fold["group"].flagged == 0
    assert by_fold["row"].flagged == by_fold["row"].total


def test_no_rows_are_no_evidence(files: tuple[Path, Path]) -> None:
    rate = evaluate(files[0], [], screen=Screen()).rate("questions", Fold.REPORTING)

    assert (rate.flagged, rate.total, rate.low, rate.high, rate.share) == (0, 0, 0.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("successes", "total", "low", "high"), [(0, 10, 0.0, 0.278), (8, 10, 0.490, 0.943), (10, 10, 0.722, 1.0)]
)
def test_the_interval_is_wilsons(successes: int, total: int, low: float, high: float) -> None:
    assert wilson(successes, total) == pytest.approx((low, high), abs=0.001)


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

    rows = list(each_row(tmp_path / name))

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
        list(each_row(tmp_path / "rows.jsonl"))
    assert "words" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.jsonl"):
        list(each_row(tmp_path / "absent.jsonl"))
