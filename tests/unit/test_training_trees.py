import random
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from service.domain.conversation import Message, Role
from service.prompts.sentences import split
from training.chatml import END, REPLY, render
from training.dialogues import library
from training.dialogues.dialogue import Dialogue, Judged, Source
from training.dialogues.scenes import quote_of, scrambled
from training.dialogues.words import Split
from training.intervals import Share, macro_f1
from training.supervised import tokenizer as bpe
from training.supervised.config import read
from training.supervised.trees import STAGES, WEIGHTS, Tree, echo, graft, plant, sprout

_LIMIT = 4000


@pytest.fixture(scope="module")
def source() -> Source:
    everything = library.load()
    return Source(everything, library.queries(), 5, Split.TRAIN, everything.trained)


@pytest.fixture(scope="module")
def tokenizer(source: Source) -> Tokenizer:
    return bpe.train(source, vocabulary=1200, dialogues=40)


def _path(tree: Tree, segment: int) -> list[int]:
    line = [segment]
    while tree.parents[line[0]] >= 0:
        line.insert(0, tree.parents[line[0]])
    return [at for s in line for at in range(len(tree.ids)) if tree.segments[at] == s]


def _served(dialogue: Dialogue) -> list[str]:
    """Every prompt with its reply, as an engine would read it."""
    texts = [render(dialogue.setting.prompt) + REPLY]
    for answer in dialogue.answers:
        texts.append(texts[0] + answer.text + END)
        turns = (*dialogue.setting.prompt, Message(Role.ASSISTANT, answer.text))
        texts += [render((*turns, branch.instruction)) + REPLY + branch.reply + END for branch in answer.branches]
    return texts


def test_every_path_of_a_tree_reads_as_it_is_served(source: Source, tokenizer: Tokenizer) -> None:
    for number in range(12):
        dialogue = source.dialogue(number)
        tree = plant(dialogue, tokenizer, limit=_LIMIT)
        read_ = [[tree.ids[at] for at in _path(tree, s)] for s in range(len(tree.parents))]
        assert read_ == [tokenizer.encode(text).ids for text in _served(dialogue)]


def test_positions_count_along_each_path(source: Source, tokenizer: Tokenizer) -> None:
    tree = plant(source.dialogue(1), tokenizer, limit=_LIMIT)
    for segment in range(len(tree.parents)):
        path = _path(tree, segment)
        assert [tree.positions[at] for at in path] == list(range(len(path)))
        assert [tree.previous()[at] for at in path] == [-1, *path[:-1]]


def test_a_token_sees_its_own_past_and_nothing_else(source: Source, tokenizer: Tokenizer) -> None:
    tree = plant(source.dialogue(1), tokenizer, limit=_LIMIT)
    (_, root_end, _), *_ = blocks = tree.blocks()
    seen = np.zeros((len(tree.ids), len(tree.ids)), dtype=bool)
    for start, end, visible in blocks:
        seen[start:end, start:end] = visible
        if start:
            seen[start:end, :root_end] = True
    for segment in range(len(tree.parents)):
        path = _path(tree, segment)
        for place, at in enumerate(path):
            assert sorted(np.flatnonzero(seen[at])) == path[: place + 1]


def test_a_draft_bears_loss_the_words_said_back_most_and_a_poor_one_none(source: Source, tokenizer: Tokenizer) -> None:
    dialogue = next(d for d in map(source.dialogue, range(9)) if d.setting.scene.quote and not d.setting.duty)
    tree = plant(dialogue, tokenizer, limit=_LIMIT)
    drafts = [s for s, parent in enumerate(tree.parents) if parent == 0]
    line = f'You wrote: "{dialogue.setting.scene.quote}"\n'
    for segment, answer in zip(drafts, dialogue.answers, strict=True):
        mine = [at for at, s in enumerate(tree.segments) if s == segment]
        learnt = {WEIGHTS[stage] for stage in ("quote", "choice", "draft")}
        assert {tree.weights[at] for at in mine} == (learnt if answer.learn else {0.0})
        quoted = [tree.ids[at] for at in mine if tree.weights[at] == WEIGHTS["quote"]]
        assert tokenizer.decode(quoted) == (line if answer.learn else "")


def test_the_first_tokens_of_each_sentence_that_a_draft_adds_choose_what_it_does(
    source: Source, tokenizer: Tokenizer
) -> None:
    for number in range(12):
        dialogue = source.dialogue(number)
        tree = sprout(dialogue, tokenizer, limit=_LIMIT)
        said = dialogue.answers[0].text.partition("\n")[2]
        chosen, before = [""], None
        for token, stage in zip(tree.ids, tree.stages, strict=True):
            kind = STAGES[stage] if stage >= 0 else None
            if kind == "choice":
                chosen = chosen if before == "choice" else [*chosen, ""]
                chosen[-1] += tokenizer.decode([token])
            before = kind
        sentences = [text for text in split(said) if text.strip() != dialogue.setting.scene.found]
        assert len(chosen) - 1 == len(sentences) or dialogue.setting.scene.fixed
        for words, sentence in zip(chosen[1:], sentences, strict=False):
            assert sentence.startswith(words.strip())


def test_a_sprout_is_the_prompt_with_the_draft_to_learn_and_nothing_asked_of_it(
    source: Source, tokenizer: Tokenizer
) -> None:
    for number in range(12):
        dialogue = source.dialogue(number)
        (learnt, *_) = [answer.text for answer in dialogue.answers if answer.learn]
        tree = sprout(dialogue, tokenizer, limit=_LIMIT)
        text = render(dialogue.setting.prompt) + REPLY + learnt + END
        assert tree.ids == tokenizer.encode(text).ids
        assert {STAGES[tree.stages[at]] for at, weight in enumerate(tree.weights) if weight} >= {"choice", "draft"}
        assert len(tree.ids) < 0.7 * len(plant(dialogue, tokenizer, limit=_LIMIT).ids) or dialogue.setting.scene.fixed


def test_an_echo_learns_the_question_and_nothing_else(source: Source, tokenizer: Tokenizer) -> None:
    scene = next(scene for scene in map(source.scene, range(9)) if scene.quote)
    assert _learnt(echo(random.Random(1), scene, ["Be kind."], tokenizer), tokenizer) == f'You wrote: "{scene.quote}"\n'


def test_what_a_tool_found_is_learnt_as_the_question_is(source: Source, tokenizer: Tokenizer) -> None:
    scene = next(scene for scene in map(source.scene, range(900)) if scene.found)
    repeated = f'You wrote: "{scene.quote}"\n{scene.found}'
    assert _learnt(echo(random.Random(1), scene, [], tokenizer), tokenizer) == repeated
    dialogue = next(d for d in map(source.dialogue, range(900)) if d.setting.scene.found and not d.setting.duty)
    tree = plant(dialogue, tokenizer, limit=_LIMIT)
    asked = dialogue.setting.scene
    quoted = [number for number, weight in zip(tree.ids, tree.weights, strict=True) if weight == WEIGHTS["quote"]]
    said = tokenizer.decode(quoted)
    assert said.startswith(f'You wrote: "{asked.quote}"\n{asked.found}')
    assert len(quoted) <= 1 + len(tokenizer.encode(f'You wrote: "{asked.quote}"\n{asked.found}').ids)


def test_scrambled_words_are_the_messages_own_and_are_repeated_as_any_others(source: Source) -> None:
    scene = next(s for s in map(source.scene, range(99)) if len(s.quote.split()) > 8)
    mixed = scrambled(random.Random(1), scene)
    said, before = mixed.conversation.turns[-1].content, scene.conversation.turns[-1].content
    assert said != before
    assert sorted(said.split()) == sorted(before.split())
    assert mixed.quote == quote_of(said)


def test_a_graft_may_bear_edits_alone(source: Source, tokenizer: Tokenizer) -> None:
    answer = next(d.answers[-1] for d in map(source.dialogue, range(99)) if "edits" in _stages(d.answers[-1]))
    assert "verdict" in _stages(answer)
    tree = graft(answer, tokenizer, limit=_LIMIT, stages=("edits",))
    assert len(tree.parents) == 2
    assert {STAGES[stage] for stage in tree.stages if stage >= 0} == {"asked", "edits"}


def _stages(answer: Judged) -> set[str]:
    return {branch.stage for branch in answer.branches}


def _learnt(tree: Tree, tokenizer: Tokenizer) -> str:
    text: str = tokenizer.decode([number for number, weight in zip(tree.ids, tree.weights, strict=True) if weight])
    return text


def test_a_graft_reads_as_the_end_of_a_served_prompt(source: Source, tokenizer: Tokenizer) -> None:
    dialogue = next(d for d in map(source.dialogue, range(9)) if d.answers[-1].branches)
    tree = graft(dialogue.answers[-1], tokenizer, limit=_LIMIT)
    whole = _served(dialogue)
    for segment in range(1, len(tree.parents)):
        text = tokenizer.decode([tree.ids[at] for at in _path(tree, segment)], skip_special_tokens=False)
        assert any(served.endswith(text) for served in whole)


def test_a_tree_stays_within_its_limit(source: Source, tokenizer: Tokenizer) -> None:
    assert all(len(plant(source.dialogue(n), tokenizer, limit=900).ids) <= 900 for n in range(20))


def test_the_shipped_run_is_readable() -> None:
    config = read(Path("training/runs/demo-sft.toml"))
    assert config.shape.hidden == config.shape.heads * config.shape.head_dim
    assert config.warmup + config.decay < config.steps


@pytest.mark.parametrize(
    ("share", "low", "high"),
    [(Share(0, 10), 0.0, 0.2775), (Share(5, 10), 0.2366, 0.7634), (Share(10, 10), 0.7225, 1.0)],
)
def test_wilson_intervals(share: Share, low: float, high: float) -> None:
    assert share.interval == pytest.approx((low, high), abs=1e-3)


def test_macro_f1_is_the_mean_of_both_classes() -> None:
    pairs = [(True, True), (True, False), (False, False), (False, False)]
    assert macro_f1(pairs) == pytest.approx((2 / 3 + 4 / 5) / 2)
