"""From preferences to principles: drafts, the round trip with a reviewer, agreement, distillation, approval."""

import codecs
import csv
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from principles_store.loading import load_principles
from principles_store.schema import LEVELS, Dimension
from service.domain.completion import Usage
from service.domain.conversation import Message, Role
from tests.principles_fakes import WordEncoder, write_store
from training.claim import OtherWork
from training.healthbench.records import BadRow
from training.journal import Journal
from training.models import Endpoint, Model, ModelFailed, Reply
from training.preferences import approve, bench, distil, drafting, pages, questions, review
from training.preferences.agreement import agreement
from training.preferences.demands import demands_of, encoding
from training.preferences.distil import Demand
from training.preferences.drafting import Item
from training.preferences.examples import Example, read

ITEMS = (Item("Tells the person to rest.", "must", 5), Item("Names a wrong dose.", "must_not", 9))
NUMBERED = tuple(replace(item, number=at) for at, item in enumerate(ITEMS, start=1))


def _examples(tmp_path: Path, count: int = 3) -> list[Example]:
    rows = [
        {"id": f"e{at}", "conversation": f"Question {at}?", "preferred": "Rest.", "other": "Run.", "author": "Dr A"}
        for at in range(count)
    ]
    path = tmp_path / "preferences.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return list(read(path))


class Drafter(Model):
    """Replies with the texts given, in turn."""

    def __init__(self, *texts: str) -> None:
        self.endpoint = Endpoint("http://127.0.0.1:9/v1", "drafter")
        self.texts, self.asked = list(texts), list[str]()

    async def ask(self, messages: Sequence[Message], **sampling: Any) -> Reply:
        self.asked.append(messages[0].content)
        return Reply(self.texts.pop(0), "stop", Usage())


def _reply(items: Sequence[Item] = ITEMS) -> str:
    return json.dumps({"items": [item.as_dict() for item in items]})


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"conversation": "q", "preferred": "a"}, "'other' is missing"),
        ({"conversation": "q", "preferred": "a", "other": " "}, "wrong kind"),
        ({"conversation": [{"role": "assistant", "content": "x"}], "preferred": "a", "other": "b"}, "wrong kind"),
        ({"conversation": [], "preferred": "a", "other": "b"}, "wrong kind"),
    ],
    ids=["missing", "empty", "nobody asked", "no turns"],
)
def test_a_preference_that_lacks_something_is_named(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    (tmp_path / "p.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(BadRow, match=said):
        list(read(tmp_path / "p.jsonl"))


async def test_a_draft_that_cannot_be_read_is_asked_for_again_and_kept_once(tmp_path: Path) -> None:
    examples = _examples(tmp_path, 2)
    model = Drafter("nonsense", _reply(), _reply())
    with Journal(tmp_path / "drafts.jsonl") as drafts:
        await drafting.draft_all(examples[:1], model, drafts)
        await drafting.draft_all(examples, model, drafts)
        assert [drafting.items_of(drafts[name]["items"]) for name in ("e0", "e1")] == [ITEMS, ITEMS]
        assert len(model.asked) == 3
        assert "Why, in the clinician's words: (not said)" in model.asked[0]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"conversation": (Message(Role.USER, "A cough?"),)}, "another example's texts"),
        ({"preferred": "Wait."}, "another example's texts"),
        ({"why": "It is safer."}, "another example's texts"),
        ({"model": "another"}, r"another model \(another, not drafter\)"),
        ({"prompt": "another"}, "another prompt"),
        ({"texts": None}, "another example's texts"),
    ],
    ids=["question", "answer", "reason", "model", "prompt", "an early version's"],
)
async def test_a_draft_of_something_else_under_the_same_id_is_refused_before_anything_is_asked(
    tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    example, other = _examples(tmp_path, 2)
    with Journal(tmp_path / "first.jsonl") as first:
        await drafting.draft_all([example], Drafter(_reply()), first)
        row = {name: value for name, value in first["e0"].items() if name != "key"}
    model = Drafter(_reply())
    with Journal(tmp_path / "drafts.jsonl") as drafts:
        drafts.append("e0", {**row, **{name: value for name, value in changed.items() if name in row}})
        texts = {name: value for name, value in changed.items() if name not in row}
        with pytest.raises(OtherWork, match=f"example e0: .*{said}"):
            await drafting.draft_all([other, replace(example, **texts)], model, drafts)
        assert model.asked == []


async def test_a_run_stops_where_nothing_answers_and_says_why(tmp_path: Path) -> None:
    class Silent(Drafter):
        async def ask(self, messages: Sequence[Message], **sampling: Any) -> Reply:
            self.asked.append(messages[0].content)
            raise ModelFailed("refused")

    model = Silent()
    model.endpoint = replace(model.endpoint, concurrency=2)
    with Journal(tmp_path / "drafts.jsonl") as drafts:
        found = await drafting.draft_all(_examples(tmp_path, 40), model, drafts)
    assert found == drafting.Shortfall(failed=6, why="refused", silent=6, stopped=True)
    assert len(model.asked) == 6, "five in a row, and the one that was on its way"


async def test_a_reply_that_cannot_be_read_is_counted_and_stops_nothing(tmp_path: Path) -> None:
    model = Drafter(*["nonsense"] * 16, _reply())
    model.endpoint = replace(model.endpoint, concurrency=1)
    with Journal(tmp_path / "drafts.jsonl") as drafts:
        found = await drafting.draft_all(_examples(tmp_path, 9), model, drafts)
        assert set(drafts) == {"e8"}
    assert found == drafting.Shortfall(failed=8, why="not the schema (JSONDecodeError)")


def test_questions_stay_until_they_are_replaced_whole_and_one_that_lacks_is_named(tmp_path: Path) -> None:
    first, second, third = _examples(tmp_path)
    questions.keep(tmp_path, [first, second])
    questions.keep(tmp_path, [replace(second, conversation=third.conversation)])
    assert questions.questions(tmp_path, [{"id": "e0"}, {"id": "e1"}]) == {"e0": "Question 0?", "e1": "Question 2?"}
    assert not list(tmp_path.glob("*.partial"))
    with pytest.raises(questions.NoQuestion, match=r"examples\.jsonl: lacks the question of example e2"):
        questions.questions(tmp_path, [{"id": "e0"}, {"id": "e2"}])


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_spreadsheet_may_part_its_cells_as_its_country_does(tmp_path: Path, mark: str) -> None:
    rows = [
        ("id", "keep", "item", "criterion", "polarity", "weight"),
        ("a", "yes", "1", "Tells; asks, says.", "must", 5),
    ]
    with (tmp_path / "r.csv").open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, delimiter=mark).writerows(rows)
    assert review.read(tmp_path / "r.csv") == (
        review.Reviewed("a", (Item("Tells; asks, says.", "must", 5, number=1),)),
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("id,keep,criterion,polarity,weight\na,yes,Dosé.,must,5\n".encode("cp1252"), "save as UTF-8"),
        (b"a,yes,x,must,5\n", "first line should name the columns id, keep, item, criterion, polarity, weight"),
        (b"", "first line should name the columns"),
    ],
    ids=["Windows-1252", "no header", "empty"],
)
def test_a_spreadsheet_that_cannot_be_read_says_what_it_wants(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "r.csv").write_bytes(content)
    with pytest.raises(review.BadReview, match=said):
        review.read(tmp_path / "r.csv")


def test_a_page_for_a_spreadsheet_says_that_it_is_utf8(tmp_path: Path) -> None:
    rows = [(example, ITEMS) for example in _examples(tmp_path, 1)]
    for name in ("r.csv", "r.yaml"):
        review.write(rows, tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(codecs.BOM_UTF8) is name.endswith("csv")
        assert review.read(tmp_path / name) == (review.Reviewed("e0", NUMBERED),)


@pytest.mark.parametrize("kind", ["yaml", "csv"])
def test_a_page_comes_back_as_it_went(tmp_path: Path, kind: str) -> None:
    rows = [(example, ITEMS) for example in _examples(tmp_path)]
    path = tmp_path / f"review.{kind}"
    path.write_text(review.page(rows, as_csv=kind == "csv"))
    assert review.read(path) == tuple(review.Reviewed(example.id, NUMBERED) for example, _ in rows)


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40).filter(str.strip),
            st.sampled_from(["must", "must_not"]),
            st.integers(1, 10),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_any_words_survive_the_round_trip(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, int]]
) -> None:
    items = tuple(Item(" ".join(text.split()), polarity, weight) for text, polarity, weight in rows)
    folder = tmp_path_factory.mktemp("page")
    example = Example("e", (), "p", "o", "", "")
    object.__setattr__(example, "conversation", _examples(folder, 1)[0].conversation)
    for kind in ("yaml", "csv"):
        path = folder / f"review.{kind}"
        path.write_text(review.page([(example, items)], as_csv=kind == "csv"), encoding="utf-8")
        shown = tuple(replace(item, number=at) for at, item in enumerate(items, start=1))
        assert review.read(path) == (review.Reviewed("e", shown),)


def test_what_a_reviewer_changed_is_worked_out_and_kept(tmp_path: Path) -> None:
    examples = _examples(tmp_path)
    with Journal(tmp_path / "d.jsonl") as drafts, Journal(tmp_path / "a.jsonl") as accepted:
        for example in examples:
            drafts.append(example.id, {"items": [item.as_dict() for item in ITEMS]})
        refined = (Item(ITEMS[0].criterion, "must", 8), Item("Asks about fever.", "must", 6))
        page = [review.Reviewed("e0", refined), review.Reviewed("e1", ()), review.Reviewed("e2", ITEMS)]
        counts = review.accept(page, drafts, accepted, author="Dr B")
        assert counts == {
            "rubrics": 2,
            "set_aside": 1,
            "kept": 2,
            "changed": 1,
            "reworded": 0,
            "added": 1,
            "removed": 3,
            "unreviewed": 0,
        }
        assert accepted["e0/Dr B"]["author"] == "Dr B"
        assert accepted["e0/Dr B"]["time"].startswith("20")
        assert review.accept(page, drafts, accepted, author="Dr B")["rubrics"] == 0, "the same page changes nothing"
        with pytest.raises(review.BadReview, match="e2 was reviewed otherwise by Dr B"):
            review.accept([review.Reviewed("e2", refined)], drafts, accepted, author="Dr B")
        with pytest.raises(review.BadReview, match="e9 was never drafted"):
            review.accept([review.Reviewed("e9", ITEMS)], drafts, accepted, author="Dr B")


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("- id: a\n  items: [{criterion: x, polarity: may, weight: 3}]", "example a, item 1: wants"),
        ("- id: a\n  items: [{criterion: x, polarity: must, weight: 11}]", "example a, item 1: wants"),
        ("- id: a\n  items: [{item: 0, criterion: x, polarity: must, weight: 1}]", "item 1: `item` should be"),
        (
            f"- id: a\n  items: [{', '.join('{item: 2, criterion: x, polarity: must, weight: 1}' for _ in '12')}]",
            "example a, item 2 comes twice",
        ),
        ("- items: []", "has no id"),
        ("- id: a\n- id: a", "comes twice"),
        ("{}", "should be a list"),
        ("[", "cannot be read"),
    ],
)
def test_a_page_with_one_thing_wrong_says_where(tmp_path: Path, page: str, said: str) -> None:
    (tmp_path / "r.yaml").write_text(page)
    with pytest.raises(review.BadReview, match=said):
        review.read(tmp_path / "r.yaml")


def test_a_row_of_a_spreadsheet_can_set_its_example_aside(tmp_path: Path) -> None:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerows([("id", "keep", "criterion", "polarity", "weight"), ("a", "no", "x", "must", "5")])
    (tmp_path / "r.csv").write_text(out.getvalue())
    assert review.read(tmp_path / "r.csv") == (review.Reviewed("a", ()),)


@pytest.mark.parametrize(
    ("said", "kept"), [("no", False), ('"no"', False), ("'False'", False), ("0", False), ("yes", True), ('"Yes"', True)]
)
def test_no_in_quotation_marks_is_no(tmp_path: Path, said: str, *, kept: bool) -> None:
    items = "[{criterion: x, polarity: must, weight: 3}]"
    (tmp_path / "r.yaml").write_text(f"- id: a\n  keep: {said}\n  items: {items}\n")
    (one,) = review.read(tmp_path / "r.yaml")
    assert bool(one.items) is kept


@pytest.mark.parametrize("name", ["r.yaml", "r.csv"])
def test_a_keep_that_is_neither_yes_nor_no_is_asked_about(tmp_path: Path, name: str) -> None:
    as_csv = "id,keep,criterion,polarity,weight\na,perhaps,x,must,5\na,yes,y,must,5\n"
    (tmp_path / name).write_text(as_csv if name.endswith("csv") else "- id: a\n  keep: perhaps\n  items: []\n")
    with pytest.raises(review.BadReview, match="example a, keep: should be yes or no"):
        review.read(tmp_path / name)


def test_an_example_whose_rows_are_all_deleted_is_told(tmp_path: Path) -> None:
    with Journal(tmp_path / "d.jsonl") as drafts, Journal(tmp_path / "a.jsonl") as accepted:
        for name in ("e0", "e1"):
            drafts.append(name, {"items": [item.as_dict() for item in ITEMS]})
        assert review.accept([review.Reviewed("e0", ITEMS)], drafts, accepted, author="Dr B")["unreviewed"] == 1
        assert review.accept([review.Reviewed("e1", ())], drafts, accepted, author="Dr B")["unreviewed"] == 0


@pytest.mark.parametrize("as_csv", [False, True])
def test_the_page_says_who_preferred(tmp_path: Path, *, as_csv: bool) -> None:
    page = review.page([(example, ITEMS) for example in _examples(tmp_path, 1)], as_csv=as_csv)
    shown = next(csv.DictReader(io.StringIO(page))) if as_csv else yaml.safe_load(page)[0]
    assert shown["preferred_by"] == "Dr A"


@pytest.mark.parametrize("kind", ["yaml", "csv"])
def test_an_item_in_other_words_is_reworded_not_dropped(tmp_path: Path, kind: str) -> None:
    (example,) = _examples(tmp_path, 1)
    path = tmp_path / f"review.{kind}"
    path.write_text(review.page([(example, ITEMS)], as_csv=kind == "csv").replace("to rest", "to lie down"))
    with Journal(tmp_path / "d.jsonl") as drafts, Journal(tmp_path / "a.jsonl") as accepted:
        drafts.append("e0", {"items": [item.as_dict() for item in ITEMS]})
        counts = review.accept(review.read(path), drafts, accepted, author="Dr B")
        review.accept([review.Reviewed("e0", NUMBERED)], drafts, accepted, author="Dr C")
        review.accept([review.Reviewed("e0", NUMBERED[1:])], drafts, accepted, author="Dr D")
        found = {
            readers: agreement([accepted[f"e0/Dr {reader}"] for reader in readers], drafts).share
            for readers in ("BC", "BD")
        }
    assert (counts["kept"], counts["reworded"], counts["added"], counts["removed"]) == (1, 1, 0, 0)
    assert found == {"BC": 1.0, "BD": 0.5}


def test_a_page_without_numbers_is_known_by_its_words(tmp_path: Path) -> None:
    with Journal(tmp_path / "d.jsonl") as drafts, Journal(tmp_path / "a.jsonl") as accepted:
        drafts.append("e0", {"items": [item.as_dict() for item in ITEMS]})
        counts = review.accept([review.Reviewed("e0", ITEMS)], drafts, accepted, author="Dr B")
        assert (counts["kept"], counts["added"], counts["removed"]) == (2, 0, 0)
        again = review.accept([review.Reviewed("e0", NUMBERED)], drafts, accepted, author="Dr B")
        assert again["rubrics"] == 0, "the same review, with its numbers"
        with pytest.raises(review.BadReview, match="e0: item 3 was never drafted"):
            review.accept([review.Reviewed("e0", (replace(ITEMS[0], number=3),))], drafts, accepted, author="Dr C")


def test_two_readers_agreement_is_cohens_kappa() -> None:
    criteria = [f"c{at}" for at in range(10)]
    drafts = {"e": {"items": [Item(c, "must", 5).as_dict() for c in criteria]}}
    one, other = set(criteria[:6]), set(criteria[:4]) | {"c9"}
    accepted = [
        {"id": "e", "items": [Item(c, "must", 5).as_dict() for c in kept]} for kept in (sorted(one), sorted(other))
    ]
    found = agreement(accepted, drafts)
    assert (found.examples, found.items, found.weight_gap) == (1, 10, 0)
    observed, chance = 7 / 10, 0.6 * 0.5 + 0.4 * 0.5
    assert found.share == pytest.approx(observed)
    assert found.kappa == pytest.approx((observed - chance) / (1 - chance))


def test_one_reader_is_no_agreement() -> None:
    found = agreement([{"id": "e", "items": []}], {"e": {"items": [ITEMS[0].as_dict()]}})
    assert (found.examples, found.items, found.share, found.kappa) == (0, 0, None, None)


def encode(texts: Sequence[str]) -> NDArray[np.float32]:
    return np.stack([WordEncoder().encode_one(text) for text in texts])


ROUTINE = {d: LEVELS[d][-1] for d in Dimension}
EMERGENT = {**ROUTINE, Dimension.URGENCY: "emergent"}


def test_what_many_clinicians_demand_becomes_one_proposal_of_its_scenario() -> None:
    demands = [
        Demand(f"e{at}", f"Dr {at}", "Tells to call emergency services now.", True, 9, EMERGENT) for at in range(4)
    ]
    demands += [Demand(f"r{at}", "Dr X", f"word{at} alone{at} here{at}", True, 4, ROUTINE) for at in range(9)]
    demands += [Demand("o", "Dr Y", "Tells to call emergency services now.", False, 3, EMERGENT)]
    (first, *_) = distil.distil(demands, encode, support=3, near=0.9)
    assert (first.examples, first.weight, first.opposed) == (4, 9, 1)
    assert (first.dimension, first.level) == (Dimension.URGENCY, "emergent")


@given(st.integers(0, 40), st.floats(0.1, 0.99))
def test_every_row_is_in_one_cluster_and_near_its_centre(count: int, near: float) -> None:
    rng = np.random.default_rng(count)
    vectors = rng.normal(size=(count, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = distil.clusters(vectors, near=near)
    assert sorted(row for members in found for row in members) == list(range(count))
    for centre, *others in found:
        assert all(vectors[centre] @ vectors[row] >= near - 1e-5 for row in others)


def test_each_question_is_read_once_and_each_text_encoded_once() -> None:
    accepted = [{"id": "e", "author": name, "items": [item.as_dict() for item in ITEMS]} for name in ("Dr B", "Dr C")]
    seen, encoded = list[str](), list[str]()

    def tracked(names: Sequence[str]) -> Sequence[str]:
        seen.extend(names)
        return names

    def encode_one(text: str) -> NDArray[np.float32]:
        encoded.append(text)
        return WordEncoder().encode_one(text)

    demands = demands_of(accepted, {"e": "Ill?"}, lambda _: ROUTINE, progress=tracked)
    texts = [demand.criterion for demand in demands]
    vectors = encoding(encode_one, progress=tracked)(texts)
    assert texts == [item.criterion for item in (*ITEMS, *ITEMS)]
    assert encoded == texts[:2]
    assert seen == ["e", *texts[:2]]
    assert np.array_equal(vectors, encode(texts))


def test_the_bench_takes_made_up_examples_through_every_step(tmp_path: Path) -> None:
    store, _ = write_store(tmp_path / "store")
    rows = bench.made_up(load_principles(store) * 4, ["Is it safe to run?", "Can I have a rest?"], 6)
    found = bench.measure(rows, tmp_path, lambda _: ROUTINE, WordEncoder().encode_one)
    assert (found["examples"], found["demands"]) == (6, 36)
    assert set(found["cpu_seconds"]) == {
        "questions_kept",
        "page_written",
        "page_read",
        "accepted",
        "scenarios",
        "encoded",
        "clustered",
        "proposals_written",
        "all",
    }


@given(
    st.lists(st.dictionaries(st.text(max_size=8), st.text() | st.integers() | st.booleans(), max_size=4), max_size=3)
)
def test_pages_are_written_as_plain_yaml_reads_them(rows: list[dict[str, object]]) -> None:
    assert yaml.safe_load(pages.dumped(rows)) == rows


def _approved(tmp_path: Path, **changed: Any) -> Path:
    demands = [Demand(f"e{at}", "Dr", "Asks about fever first.", True, 6, ROUTINE) for at in range(3)]
    (row,) = yaml.safe_load(distil.page(distil.distil(demands, encode)))
    row["approve"] = True
    row["principle"] |= {
        "id": "uncertainty.reducible.ask-fever",
        "title": "Ask about fever",
        "statement": "Ask whether there is a fever.",
        "rationale": "It decides.",
        "applies_when": "Someone is ill.",
        "criteria": [{"id": "asks", "text": "Asks about fever.", "weight": 6, "polarity": "must"}],
        **changed,
    }
    path = tmp_path / "proposals.yaml"
    path.write_text(yaml.safe_dump([row]))
    return path


def test_an_approved_proposal_enters_a_new_edition_with_its_approver(tmp_path: Path) -> None:
    store, _ = write_store(tmp_path / "store")
    (new,) = approve.approved(_approved(tmp_path), author="Dr C")
    digest = approve.add([new], store, tmp_path / "out", encoder=WordEncoder())
    principles = {p.id: p for p in load_principles(tmp_path / "out")}
    assert len(principles) == len(load_principles(store)) + 1
    assert digest
    assert "approved by Dr C" in principles[new.id].evidence[-1].name
    assert "3 clinicians' preferences" in principles[new.id].evidence[-1].name


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"id": "uncertainty.reducible.name-it"}, "names of their own"),
        ({"title": ""}, "title"),
        ({"id": "urgency.never.x"}, "not a level"),
    ],
)
def test_a_proposal_that_is_not_complete_is_refused(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    with pytest.raises(approve.NotApproved, match=said):
        approve.approved(_approved(tmp_path, **changed), author="Dr C")


def _page(tmp_path: Path, *rows: object) -> Path:
    """A page of approved proposals, each changed as told, or of whatever else stands there."""
    (good,) = yaml.safe_load(_approved(tmp_path).read_text())
    path = tmp_path / "page.yaml"
    path.write_text(yaml.safe_dump([{**good, **row} if isinstance(row, dict) else row for row in rows]))
    return path


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{}, {"approve": False}, {}], "proposal 1 and proposal 3 have one id, uncertainty.reducible.ask-fever"),
        ([{}, {"approve": "perhaps"}], "proposal 2: approve: should be yes or no"),
        ([{}, {"approve": None}], "proposal 2: approve: should be yes or no"),
        ([{}, "text"], "proposal 2: should hold `approve`"),
        ([{"principle": "text"}], "proposal 1: principle: should hold the fields"),
        ([{"behind": "text"}], "proposal 1: behind: should hold the fields"),
    ],
    ids=["one id twice", "perhaps", "empty", "no proposal", "text for a principle", "text for what is behind"],
)
def test_what_stands_in_the_way_of_an_approval_is_refused_with_its_place(
    tmp_path: Path, rows: list[object], said: str
) -> None:
    with pytest.raises(approve.NotApproved, match=said):
        approve.approved(_page(tmp_path, *rows), author="Dr C")


def test_every_approved_proposal_is_taken_however_its_yes_is_written(tmp_path: Path) -> None:
    (good,) = yaml.safe_load(_approved(tmp_path).read_text())
    other = {"principle": {**good["principle"], "id": "uncertainty.reducible.ask-cough"}, "approve": "yes"}
    taken = approve.approved(_page(tmp_path, {}, other), author="Dr C")
    assert [principle.id.split(".")[-1] for principle in taken] == ["ask-fever", "ask-cough"]


def test_of_two_new_principles_of_one_id_none_is_written(tmp_path: Path) -> None:
    store, _ = write_store(tmp_path / "store")
    (new,) = approve.approved(_approved(tmp_path), author="Dr C")
    with pytest.raises(approve.NotApproved, match="ask-fever: comes twice"):
        approve.add([new, new], store, tmp_path / "out", encoder=None)
    assert not (tmp_path / "out").exists()


def test_a_name_that_stands_twice_on_a_page_is_refused(tmp_path: Path) -> None:
    path = _approved(tmp_path)
    path.write_text(path.read_text().replace("- approve: true", "- approve: false\n  approve: true"))
    with pytest.raises(approve.NotApproved, match="line 2, or a name stands there twice"):
        approve.approved(path, author="Dr C")


def test_nothing_is_taken_that_nobody_approved(tmp_path: Path) -> None:
    path = _approved(tmp_path)
    path.write_text(path.read_text().replace("approve: true", "approve: false"))
    with pytest.raises(approve.NotApproved, match="no proposal has approve: yes"):
        approve.approved(path, author="Dr C")


def test_a_changed_principle_must_carry_a_higher_version(tmp_path: Path) -> None:
    store, _ = write_store(tmp_path / "store")
    (new,) = approve.approved(_approved(tmp_path), author="Dr C")
    approve.add([new], store, tmp_path / "second", encoder=None)
    with pytest.raises(approve.NotApproved, match=r"1\.0\.0 does not rise"):
        approve.add([new], tmp_path / "second", tmp_path / "third", encoder=None)
    newer = new.model_copy(update={"version": "1.1.0"})
    approve.add([newer], tmp_path / "second", tmp_path / "third", encoder=None)
    assert {p.id: p.version for p in load_principles(tmp_path / "third")}[new.id] == "1.1.0"


def test_a_new_principle_that_repeats_another_is_refused(tmp_path: Path) -> None:
    store, _ = write_store(tmp_path / "store")
    (new,) = approve.approved(_approved(tmp_path), author="Dr C")
    twin = new.model_copy(update={"id": "uncertainty.reducible.ask-fever-again"})
    with pytest.raises(approve.NotApproved, match="says nearly the same"):
        approve.add([new, twin], store, tmp_path / "out", encoder=WordEncoder())
