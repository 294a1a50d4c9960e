import random
import re

import pytest

from service.domain.conversation import Role
from service.prompts import edits
from service.prompts.sentences import split
from training.dialogues import drafts, library, words
from training.dialogues.branches import YES
from training.dialogues.dialogue import Dialogue, Source
from training.dialogues.drafts import WEAKENED
from training.dialogues.words import Split, is_held_out
from training.on_topic import on_topic

_COUNT = 150
LIBRARY = library.load()
QUERIES = library.queries()


def source(split: Split) -> Source:
    return Source(LIBRARY, QUERIES, 11, split, LIBRARY.trained)


@pytest.fixture(scope="module")
def dialogues() -> list[Dialogue]:
    return [source(Split.TRAIN).dialogue(number) for number in range(_COUNT)]


def test_the_same_number_gives_the_same_dialogue() -> None:
    assert source(Split.TRAIN).dialogue(3) == source(Split.TRAIN).dialogue(3)


def test_a_verdict_says_whether_a_known_wording_stands_in_the_answer(dialogues: list[Dialogue]) -> None:
    judged = 0
    exemplars = {e.criterion.id: e for p in LIBRARY.principles for e in p.exemplars}
    for dialogue in dialogues:
        mine = exemplars | {e.criterion.id: e for p in dialogue.setting.guide for e in p.exemplars}
        for answer in dialogue.answers:
            for branch in answer.branches:
                if branch.stage != "verdict" or branch.targets[0] == WEAKENED.id:
                    continue
                done = any(text in answer.text for text in mine[branch.targets[0]].does)
                called = bool(dialogue.setting.duty) and "emergency" in branch.instruction.content
                assert done or called or branch.reply != YES
                assert not done or branch.reply == YES
                judged += 1
    assert judged > 4 * _COUNT


def test_the_edits_give_the_mended_text(dialogues: list[Dialogue]) -> None:
    applied = 0
    for answer in (answer for dialogue in dialogues for answer in dialogue.answers):
        for branch in answer.branches:
            if branch.stage == "edits":
                mended = edits.apply(answer.body, edits.read(branch.reply))
                assert mended.split() == branch.body.split()
                applied += 1
    assert applied > _COUNT // 2


def test_a_mended_text_does_what_was_missing_and_not_what_was_forbidden(dialogues: list[Dialogue]) -> None:
    for dialogue in dialogues:
        exemplars = {e.criterion.id: e for p in dialogue.setting.guide for e in p.exemplars}
        for branch in (b for a in dialogue.answers for b in a.branches if b.stage in {"edits", "rewrite"}):
            for target in (t for t in branch.targets if t != WEAKENED.id):
                exemplar = exemplars[target]
                assert any(text in branch.body for text in exemplar.does) is exemplar.wanted


def test_a_draft_to_learn_opens_with_the_persons_own_words_to_the_letter(dialogues: list[Dialogue]) -> None:
    repeated = whole = 0
    for dialogue in dialogues:
        scene = dialogue.setting.scene
        for answer in (a for a in dialogue.answers if a.learn and not scene.fixed):
            assert answer.body.startswith(f'{drafts.LEAD} "{scene.quote}"\n')
            said = [turn for turn in scene.conversation.turns if turn.role is Role.USER][-1]
            assert said.content.startswith(scene.quote)
            whole += all(text in answer.body for text in scene.values.values())
            repeated += 1
    assert repeated > 0.8 * _COUNT
    assert whole >= 0.98 * repeated


def test_a_draft_to_learn_says_in_few_sentences_only_what_its_principles_want(dialogues: list[Dialogue]) -> None:
    lengths = []
    for dialogue in (d for d in dialogues if not d.setting.scene.fixed):
        exemplars = [e for p in dialogue.setting.guide for e in p.exemplars]
        for answer in (a for a in dialogue.answers if a.learn):
            assert all(on_topic(answer.body, exemplars, found=dialogue.setting.scene.found))
            lengths.append(len(split(answer.body.partition("\n")[2])))
    assert 3 <= sorted(lengths)[len(lengths) // 2] <= 6


def test_a_draft_to_learn_does_all_that_it_is_judged_by(dialogues: list[Dialogue]) -> None:
    for dialogue in (d for d in dialogues if not d.setting.scene.fixed):
        guide = dialogue.setting.guide
        exemplars = {e.criterion: e for p in guide for e in p.exemplars}
        judged = [exemplars[c] for c in drafts.rubric(guide)]
        always = [p.sayable[0] for p in guide if p.always_on and p.sayable]
        for body in (a.body for a in dialogue.answers if a.learn):
            assert [e.criterion.id for e in (*judged, *always) if e.wanted and e.says and e.says not in body] == []


def test_an_answer_is_judged_by_the_ten_weightiest_criteria_of_its_principles() -> None:
    every = {e.criterion for p in LIBRARY.trained[:8] for e in p.exemplars}
    judged = drafts.rubric(LIBRARY.trained[:8])
    assert len(judged) == len(set(judged)) == 10 < len(every)
    assert min(c.weight for c in judged) >= max(c.weight for c in every.difference(judged))


def test_a_sentence_that_no_principle_wants_is_off_topic() -> None:
    exemplar = next(e for p in LIBRARY.principles for e in p.exemplars if e.wanted and e.says)
    forbidden = next(e for p in LIBRARY.principles for e in p.exemplars if not e.wanted)
    written = f'You wrote: "Why?"\n{exemplar.says} The moon is round. {forbidden.does[0]}'
    assert sorted(on_topic(written, [exemplar, forbidden])) == [False, False, True]


def test_no_wording_holds_a_slot_or_two_articles() -> None:
    texts = [text for p in LIBRARY.principles for e in p.exemplars for text in (*e.does, *e.misses)]
    assert len(texts) > 900
    assert not [text for text in texts if "{" in text or re.search(r"\b(the|a|an|your) this\b", text, re.IGNORECASE)]


def test_a_draft_to_learn_does_nothing_forbidden(dialogues: list[Dialogue]) -> None:
    for dialogue in dialogues:
        forbidden = [e for p in dialogue.setting.guide for e in p.exemplars if not e.wanted]
        for body in (answer.body for answer in dialogue.answers if answer.learn):
            assert not any(t in body for e in forbidden for t in e.does)


def test_most_drafts_to_learn_are_short(dialogues: list[Dialogue]) -> None:
    lengths = sorted(len(a.text.split()) for d in dialogues for a in d.answers if a.learn)
    assert lengths[len(lengths) // 2] in range(30, 111)
    assert lengths[int(len(lengths) * 0.95)] <= 130


def test_neither_verdict_is_rare(dialogues: list[Dialogue]) -> None:
    replies = [b.reply == YES for d in dialogues for a in d.answers for b in a.branches if b.stage == "verdict"]
    assert 0.3 < sum(replies) / len(replies) < 0.6


@pytest.mark.parametrize("split", list(Split))
def test_slots_hold_words_of_their_own_split_only(split: Split) -> None:
    listed = [w.lower() for w in (*words.COMPLAINTS, *words.MEDICINES, *words.CONDITIONS, *words.TESTS)]
    others = [w for w in listed if is_held_out(w) is (split is Split.TRAIN)]
    assert others
    pattern = re.compile("|".join(rf"\b{re.escape(w)}\b" for w in others))
    made = words.Words(random.Random(5), split)
    for slot in ("medicine", "condition", "test"):
        drawn = {made.value(slot).lower() for _ in range(400)}
        assert not {w for w in drawn if pattern.fullmatch(w)}


def test_training_draws_no_held_out_principle(dialogues: list[Dialogue]) -> None:
    kept = {p.id for p in LIBRARY.held_out}
    assert kept
    assert not kept & {p.id for d in dialogues for p in d.setting.guide}


def test_every_principle_has_exemplars_for_every_criterion() -> None:
    assert all(e.does and e.misses for p in LIBRARY.principles for e in p.exemplars)
