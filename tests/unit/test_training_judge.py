"""What the small judge is trained on, and that nothing that is reported can be fitted on."""

import random
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.entailment.calibration import FEATURES, NEARNESS, Evidence
from service.entailment.lexical import Words
from service.entailment.packing import pack
from service.entailment.reader import decide
from training.dialogues.library import load
from training.judge import acts, facts, relations, replies
from training.judge.acts_head import fit_acts, sight
from training.judge.asked import Asked, _joined, _replies, answered
from training.judge.composed import composed
from training.judge.fit import UNWRITTEN, Written, fit_heads, fit_thresholds
from training.judge.folds import Folds, training_rows, unlabelled
from training.judge.group import MOST, Claim, Group, group, kept_back, reword, spoil
from training.judge.orders import ordered
from training.judge.pools import SHARED, Packed, drawing, swayed
from training.judge.windowed import windowed

questions = st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1), min_size=2, max_size=30, unique=True)
SOURCES: dict[str, Callable[[random.Random], Group]] = {
    "relations": relations.related,
    "facts": facts.told,
    "invented": acts.invented,
    "acts": acts.done(
        acts.written(), lambda texts: np.eye(512, dtype=np.float32)[[zlib.crc32(t.encode()) % 512 for t in texts]]
    ),
    "composed": composed(replies.replied),
}


def row(question: str, *, told: bool, at: int = 0) -> dict[str, Any]:
    label = "Entailment" if told else "Neutral"
    return {"Question": question, "answer": f"a{at}", "claim": f"c{at}", **{f"label_{k}": label for k in range(3)}}


@given(questions, st.integers(2, 6))
def test_no_row_of_a_fold_is_among_the_rows_that_its_fit_is_given(texts: list[str], count: int) -> None:
    rows = [row(text, told=bool(at % 2), at=at) for at, text in enumerate(texts)] * 2
    folds = Folds.of_questions(texts, count=count)
    for fold in range(count):
        given_to_fit = training_rows(rows, folds, without=fold)
        assert all(folds.held_out(each["Question"]) != fold for each in given_to_fit)
        held_out = [each for each in rows if folds.held_out(each["Question"]) == fold]
        assert len(held_out) + len(given_to_fit) == len(rows)


@given(questions)
def test_questions_with_labels_are_no_text_for_the_network(texts: list[str]) -> None:
    folds = Folds.of_questions(texts[::2], count=2)
    kept = {each["Question"] for each in unlabelled([row(text, told=True) for text in texts], folds)}
    assert not kept & set(texts[::2])


def test_a_question_keeps_its_fold_in_other_letters() -> None:
    folds = Folds.of_questions(["Is it safe?", "When?"], count=2)
    assert folds.held_out("IS  it safe? ") == folds.held_out("Is it safe?")
    assert folds.held_out("Who?") is None


class Watched:
    """Evidence that notes which rows were looked at."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def __call__(self, each: Mapping[str, Any]) -> Evidence:
        self.read.append(each["Question"])
        told = each["label_0"] == "Entailment"
        near = (float(told),) * len(NEARNESS)
        return Evidence(1.0 if told else -1.0, near, Words(float(told), float(told), 0.0, 0.0))


def test_a_label_in_its_own_fold_changes_nothing_of_the_head_it_is_reported_with() -> None:
    texts = [f"q{n}" for n in range(12)]
    folds = Folds.of_questions(texts, count=3)
    rows = [row(text, told=at % 3 == 0, at=at) for at, text in enumerate(texts)]
    flipped = [
        each | {f"label_{k}": "Entailment" for k in range(3)} if folds.held_out(each["Question"]) == 1 else each
        for each in rows
    ]
    evidence = Watched()
    before, after = fit_heads(rows, evidence, folds), fit_heads(flipped, evidence, folds)
    assert before.heads[1] == after.heads[1]
    assert before.heads[0] != after.heads[0]
    assert (
        fit_thresholds(rows, lambda r: float(r["claim"][1:]), folds)[1]
        == fit_thresholds(flipped, lambda r: float(r["claim"][1:]), folds)[1]
    )


def test_a_head_parts_what_its_evidence_parts() -> None:
    texts = [f"q{n}" for n in range(20)]
    rows = [row(text, told=at % 2 == 0, at=at) for at, text in enumerate(texts)]
    evidence = Watched()
    head = fit_heads(rows, evidence, Folds.of_questions(texts, count=5)).head
    for each in rows:
        chance = head.probability(evidence(each))
        assert chance is not None
        assert (chance >= head.threshold) is (each["label_0"] == "Entailment")


def test_a_head_weighs_one_of_the_sets_that_it_may_choose_from() -> None:
    texts = [f"q{n}" for n in range(20)]
    rows = [row(text, told=at % 2 == 0, at=at) for at, text in enumerate(texts)]
    head = fit_heads(rows, Watched(), Folds.of_questions(texts, count=5)).head
    assert any(head.weights.keys() <= set(names) for names in UNWRITTEN)


@pytest.mark.parametrize("name", list(SOURCES))
def test_a_group_is_the_same_for_the_same_seed_and_asks_both_kinds(name: str) -> None:
    made = [SOURCES[name](random.Random(seed)) for seed in range(12)]
    assert made == [SOURCES[name](random.Random(seed)) for seed in range(12)]
    told = Counter(claim.told for each in made for claim in each.claims)
    assert min(told[True], told[False]) > 5
    assert all(each.answer and len(each.claims) <= MOST for each in made)


def test_a_fact_that_is_kept_back_is_never_trained_on() -> None:
    held = {text for fact in facts.facts() if kept_back(fact.topic) for text in fact.says}
    trained = " ".join(facts.told(random.Random(seed)).answer for seed in range(200))
    assert held
    assert not [text for text in held if text in trained]


def test_every_fact_has_wordings_and_something_near() -> None:
    assert len(facts.facts()) > 120
    assert all(len(fact.says) >= 2 and fact.near for fact in facts.facts())


def test_a_claim_is_not_both_told_and_untold() -> None:
    made = group(random.Random(1), "a", ["x", "y"], ["y", "z"], "test")
    assert {(claim.text, claim.told) for claim in made.claims} == {("x", True), ("y", True), ("z", False)}


@pytest.mark.parametrize(
    "text",
    ["Take 500 mg in the morning.", "It is safe for children.", "Antibiotics are not recommended."],
    ids=["number", "word", "negation"],
)
def test_what_is_spoilt_says_something_else(text: str) -> None:
    assert all(spoil(random.Random(seed), text) not in ("", text) for seed in range(20))


def test_what_cannot_be_spoilt_is_left_out() -> None:
    assert spoil(random.Random(1), "Xylophones hum.") == ""


def test_rewording_keeps_numbers_and_case() -> None:
    texts = {reword(random.Random(seed), "Doctors treat fever after 3 days.", share=1.0) for seed in range(30)}
    assert len(texts) > 1
    assert all("3 days" in text and text[0].isupper() for text in texts)


def test_a_composed_criterion_is_told_only_if_all_its_parts_are() -> None:
    parts = (Claim("Rest.", 1.0), Claim("Drink.", 1.0), Claim("Take ibuprofen.", 0.0))
    made = [composed(lambda _: Group("Rest. Drink.", parts, "test"))(random.Random(seed)) for seed in range(60)]
    long = [claim for each in made for claim in each.claims if claim not in parts]
    assert {claim.told for claim in long} == {0.0, 1.0}
    assert all(claim.told == (0.0 if "ibuprofen" in claim.text else 1.0) for claim in long)


def test_every_reply_to_a_question_of_kqa_has_labels() -> None:
    found = _replies()
    assert len(found) > 150
    assert all(len(key) == 16 and reply and set(labels) <= set("emwn") for key, reply, labels in found)


def test_labels_that_do_not_fit_the_statements_are_refused() -> None:
    row = {"Question": "Is it safe?", "Must_have": ["It is safe.", " "], "Nice_to_have": ["Ask a pharmacist."]}
    assert [claim.told for claim in _joined(row, "Yes.", "en").statements] == [1.0, 0.0]
    with pytest.raises(ValueError, match="3 labels for 2 statements"):
        _joined(row, "Yes.", "enn")


def test_what_a_reply_tells_is_asked_with_its_question() -> None:
    text = Asked("Is it safe?", "It is.", (Claim("It is safe.", 0.67),))
    made = answered([text])(random.Random(1))
    assert (made.question, made.claims[0].told) == ("Is it safe?", 0.67)


def test_what_written_rows_say_becomes_weights_of_the_same_evidence() -> None:
    texts = [f"q{n}" for n in range(20)]
    rows = [row(text, told=at % 2 == 0, at=at) for at, text in enumerate(texts)]
    written = [Written(Watched()(row("w", told=told)), float(told)) for told in (True, False)] * 8
    folds = Folds.of_questions(texts, count=5)
    fitted = fit_heads(rows, Watched(), folds, written=written)
    assert all(set(head.weights) <= set(FEATURES) for head in (fitted.head, *fitted.heads))
    for each in rows:
        chance = fitted.head.probability(Watched()(each))
        assert chance is not None
        assert (chance >= fitted.head.threshold) is (each["label_0"] == "Entailment")


def test_what_a_question_takes_is_fitted_as_it_is_used() -> None:
    """Claims that restate the question are untold, though the answer has their words; those that do not are told."""
    rng = np.random.default_rng(1)
    told = rng.random(400) < 0.5
    about = np.where(told, rng.normal(0.2, 0.1, 400), rng.normal(0.7, 0.1, 400))
    near = rng.normal(0.5, 0.1, 400)
    written = [
        Written(Evidence(0.0, (*[float(one)] * 28, float(two)), Words(0.5, 0.5, 0.0, 0.0)), float(label))
        for one, two, label in zip(near, about, told, strict=True)
    ]
    rows = [row(f"q{at}", told=bool(at % 2), at=at) for at in range(20)]

    def evidence(each: Mapping[str, Any]) -> Evidence:
        return written[int(np.flatnonzero(told == (each["label_0"] == "Entailment"))[0])].evidence

    head = fit_heads(rows, evidence, Folds.of_questions([f"q{n}" for n in range(20)], count=5), written=written).head
    found = [head.probability(each.evidence) for each in written]
    assert all(chance is not None for chance in found)
    right = [
        chance is not None and (chance >= head.threshold) is bool(label)
        for chance, label in zip(found, told, strict=True)
    ]
    assert sum(right) > 380


def test_a_head_for_acts_parts_those_that_are_done() -> None:
    written = [Written(Watched()(row("w", told=told)), float(told)) for told in (True, False)] * 30
    head = fit_acts(written)
    assert {decide(each.evidence, head).present for each in written if each.told} == {True}
    assert {decide(each.evidence, head).present for each in written if not each.told} == {False}


def test_an_act_of_which_half_is_told_is_unknown() -> None:
    same = Watched()(row("w", told=True))
    head = fit_acts([Written(same, float(at % 2)) for at in range(60)])
    assert decide(same, head).present is None


def test_what_a_head_of_other_folds_says_of_acts_is_counted_by_what_is_done() -> None:
    evidence = {told: Watched()(row("w", told=told)) for told in (True, False)}
    found = sight([Written(evidence[told], float(told), "acts", at % 5) for at in range(50) for told in (True, False)])
    shares = {name: (value["share"], value["count"]) for name, value in found["acts"].items()}
    assert shares == {
        "done_found": (1.0, 50),
        "done_denied": (0.0, 50),
        "done_unknown": (0.0, 50),
        "not_done_found": (0.0, 50),
        "not_done_denied": (1.0, 50),
        "not_done_unknown": (0.0, 50),
    }


def words(text: str) -> int:
    return len(text.split())


def test_a_short_answer_is_its_own_window() -> None:
    made = Group("Rest. Drink.", (Claim("Rest.", 1.0),), "replies")
    assert windowed(made, most=10, count=words) == [made]


def test_a_told_claim_goes_to_the_window_that_tells_it_and_an_untold_one_to_all() -> None:
    filler = "There are many kinds of weather in the world. "
    made = Group(
        filler * 4 + "Drink plenty of water today. " + filler * 4,
        (Claim("Drink plenty of water.", 1.0), Claim("Take two tablets.", 0.0), Claim("Drink water.", 0.33)),
        "replies",
        "What helps?",
    )
    parts = windowed(made, most=20, count=words)
    assert len(parts) > 3
    for part in parts:
        told = "plenty" in part.answer
        assert words(part.answer) <= 20
        assert Claim("Take two tablets.", 0.0) in part.claims
        assert not told or part.question == "What helps?"
    homes = [part for part in parts if Claim("Drink plenty of water.", 1.0) in part.claims]
    assert len(homes) == 1
    assert "plenty" in homes[0].answer
    assert sum(Claim("Drink water.", 0.33) in part.claims for part in parts) == 1


def test_a_window_that_is_asked_nothing_is_left_out() -> None:
    made = Group("Weather is what it is. " * 8 + "Drink water.", (Claim("Drink water.", 1.0),), "replies")
    (part,) = windowed(made, most=12, count=words)
    assert "Drink" in part.answer


@given(st.integers(0, 10_000))
def test_words_to_the_judge_change_no_label_and_keep_the_answer(seed: int) -> None:
    made = Group("Rest.", (Claim("Rest.", 1.0), Claim("Run.", 0.0)), "replies")
    found = ordered(random.Random(seed), made)
    assert found.claims == made.claims
    assert "Rest." in found.answer.split("\n\n")


def test_some_answers_have_words_to_the_judge_and_most_have_none() -> None:
    made = Group("Rest.", (Claim("Rest.", 1.0),), "replies")
    plain = [each == made for each, _ in swayed([(made, 0)] * 500, seed=1)]
    assert 300 < sum(plain) < 450


def test_every_act_has_names_and_sentences_of_both_kinds() -> None:
    assert len(acts.written()) > 60
    assert all(act.names and act.does and act.misses for act in acts.written())
    assert {act.fold for act in acts.exemplified()} == set(range(acts.FOLDS))


def test_no_criterion_of_a_held_out_principle_is_an_act_to_train_on() -> None:
    held = {principle.id for principle in load().held_out}
    assert held
    assert not held & {act.topic for act in acts.exemplified()}


def test_a_draft_is_asked_its_rubric_fold_by_fold() -> None:
    found = [each for number in range(4) for each in acts.drafted(number, seed=3)]
    folds_of = {act.names[0]: act.fold for act in acts.exemplified()}
    assert found
    assert all(folds_of.get(claim.text, fold) == fold for made, fold in found for claim in made.claims)
    assert {claim.told for made, _ in found for claim in made.claims} == {0.0, 1.0}


@given(st.lists(st.tuples(st.sampled_from(["asked", "acts", "facts"]), st.integers(0, 4)), min_size=1, max_size=40))
def test_no_row_that_a_fold_holds_out_is_drawn_to_train_it(rows: list[tuple[str, int]]) -> None:
    made = [Group("a", (Claim("c", 1.0),), origin) for origin, _ in rows]
    places = [SHARED if origin == "facts" else fold for origin, fold in rows]
    one = pack([101, 7, 102], [[101, 8, 102]])
    packed = Packed.of([(one, group, fold) for group, fold in zip(made, places, strict=True)])
    for fold in range(5):
        draw = drawing(packed, {"asked": 0.5, "acts": 0.2}, without=fold)
        if any(place != fold for place in places):
            drawn = draw(np.random.default_rng(0), 16)
            assert not [at for at in drawn.tolist() if places[at] == fold]
