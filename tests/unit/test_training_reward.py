"""The reward: exact arithmetic, no number for a failed judge, and the same number through every framework's adapter."""

import asyncio
import json
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.assessment import Criterion, Polarity
from service.domain.conversation import Message, Role
from training.chatml import END, PAD, SPECIAL
from training.reward.adapters import (
    Background,
    NotItsPrompt,
    Unjudged,
    openrlhf_reward,
    trl_reward,
    verl_reward,
    written,
)
from training.reward.rubric import BadRubric, Item, Rubric, row
from training.reward.scorer import FLOOR, Scorer, Tally
from training.reward.shaping import Length, is_well_formed

ASKED = (Message(Role.USER, "May I take both?"),)
points = st.integers(min_value=-10, max_value=10).filter(bool)
rubrics = (
    st.lists(points, min_size=1, max_size=12)
    .filter(lambda listed: max(listed) > 0)
    .map(lambda listed: Rubric(tuple(Item(f"names thing{at}x", float(p)) for at, p in enumerate(listed))))
)


class WordJudge:
    """Says yes where the answer holds the criterion's last word; fails on the words in `failing`."""

    name = "words"

    def __init__(self, failing: frozenset[str] = frozenset(), *, failures: int = 10**9) -> None:
        self.failing, self.failures, self.asked = failing, failures, 0

    async def does(self, prompt: Sequence[Message], answer: str, criterion: str) -> bool | None:
        self.asked += 1
        await asyncio.sleep(0)
        word = criterion.rsplit(" ", 1)[-1]
        if word in self.failing and self.failures > 0:
            self.failures -= 1
            return None
        return word in answer


@given(rubrics, st.data())
def test_a_rubric_scores_points_done_over_positive_points(rubric: Rubric, data: st.DataObject) -> None:
    done = data.draw(st.lists(st.booleans(), min_size=len(rubric.items), max_size=len(rubric.items)))
    earned = sum(item.points for item, is_done in zip(rubric.items, done, strict=True) if is_done)
    assert rubric.score(done) == pytest.approx(earned / sum(max(0.0, item.points) for item in rubric.items))
    assert rubric.score(done) <= 1


@given(rubrics)
def test_a_rubric_survives_being_written_and_read(rubric: Rubric) -> None:
    assert Rubric.from_json(rubric.to_json()) == rubric


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "[1]", '[{"criterion": "x"}]', '[{"criterion": "x", "points": -3}]', '[{"points": 3}]', "null"],
)
def test_what_is_no_rubric_is_refused(text: str) -> None:
    with pytest.raises(BadRubric):
        Rubric.from_json(text)


def test_a_forbidden_thing_costs_points_when_it_is_done() -> None:
    wanted = Criterion("p#a", "p", "Names thing0x", 5, Polarity.MUST)
    forbidden = Criterion("p#b", "p", "Names thing1x", 8, Polarity.MUST_NOT)
    rubric = Rubric.of([wanted, forbidden])
    assert [item.points for item in rubric.items] == [5, -8]
    assert rubric.score([True, False]) == 1
    assert rubric.score([True, True]) == pytest.approx(-3 / 5)


async def test_a_failed_judge_gives_no_number() -> None:
    rubric = Rubric((Item("names thing0x", 5), Item("names thing1x", 5)))
    judge = WordJudge(frozenset({"thing1x"}))
    scorer = Scorer(judge)
    assert await scorer.score(ASKED, "thing0x", rubric) is None
    assert (scorer.tally.unjudged, scorer.tally.failed, judge.asked) == (1, 2, 3)


async def test_a_verdict_that_failed_once_is_asked_for_again() -> None:
    rubric = Rubric((Item("names thing0x", 5),))
    reward = await Scorer(WordJudge(frozenset({"thing0x"}), failures=1)).score(ASKED, "thing0x.", rubric)
    assert reward is not None
    assert reward.value == 1


async def test_the_same_text_is_judged_once_though_asked_for_at_once() -> None:
    rubric, judge = Rubric((Item("names thing0x", 5),)), WordJudge()
    scorer = Scorer(judge)
    rewards = await asyncio.gather(*(scorer.score(ASKED, "thing0x", rubric) for _ in range(8)))
    assert {reward.value for reward in rewards if reward} == {1}
    assert judge.asked == 1
    assert scorer.tally.as_dict()["verdicts_cached"] == 7


async def test_another_prompt_is_another_question() -> None:
    rubric, judge = Rubric((Item("names thing0x", 5),)), WordJudge()
    scorer = Scorer(judge)
    await scorer.score(ASKED, "thing0x", rubric)
    await scorer.score((Message(Role.USER, "And this?"),), "thing0x", rubric)
    assert judge.asked == 2


async def test_one_grave_fault_does_not_drown_a_group() -> None:
    reward = await Scorer(WordJudge()).score(ASKED, "thing1x", Rubric((Item("names thing0x", 1), Item("thing1x", -10))))
    assert reward is not None
    assert reward.rubric == -10
    assert reward.value == FLOOR


def test_a_tally_goes_on_from_what_an_earlier_process_told() -> None:
    told = Tally(before=9.5, answers=4, unjudged=1, asked=7, cached=3, failed=2).as_dict()
    after = Tally.after(told)
    assert (after.answers, after.unjudged, after.asked, after.cached, after.failed) == (4, 1, 7, 3, 2)
    assert after.as_dict()["seconds"] >= told["seconds"] >= 9.5


@given(st.integers(min_value=0, max_value=2000))
def test_length_costs_nothing_up_to_what_is_allowed_and_never_more_than_the_most(words: int) -> None:
    length = Length(allowed=100, slope=0.5, most=0.4)
    penalty = length.penalty("word " * words)
    assert 0 <= penalty <= 0.4
    assert (penalty == 0) is (words <= 100)


@pytest.mark.parametrize(
    ("answer", "well"),
    [
        ("Call your doctor. Rest today.", True),
        ("请立即拨打急救电话。", True),
        ("", False),
        ("It breaks off in", False),
        ("Rest today. Rest today.", False),
        ("Rest.<|im_end|>", False),
    ],
    ids=["prose", "chinese", "empty", "cut off", "repeats itself", "control token"],
)
async def test_form_is_judged_apart_from_the_rubric(answer: str, well: bool) -> None:
    assert is_well_formed(answer) is well
    logged: dict[str, float] = {}
    reward = trl_reward(Scorer(WordJudge()), form_weight=0.25)
    rubric = Rubric((Item("names thing0x", 5),)).to_json()
    given = {"prompts": ["q"], "completions": [[{"role": "assistant", "content": answer}]], "rubrics": [rubric]}
    assert await reward(**given, log_metric=logged.__setitem__) == [0.25 * well]
    assert logged == {"rewards/rubric/mean": 0, "rewards/form/mean": float(well)}


# OpenRLHF decodes with special tokens left in, and pads to the batch's longest.
TAILS = ("", END, f"{END}\n", END + PAD * 40, PAD * 300)


def _random_case(rng: random.Random) -> tuple[list[dict[str, str]], str, Rubric]:
    count = rng.randint(1, 12)
    values = [float(rng.choice([p for p in range(-10, 11) if p])) for _ in range(count)]
    values[rng.randrange(count)] = float(rng.randint(1, 10))
    rubric = Rubric(tuple(Item(f"names thing{at}x", value) for at, value in enumerate(values)))
    said = " ".join([f"thing{at}x" for at in range(count) if rng.random() < 0.5] + ["word"] * rng.randint(0, 600))
    return [{"role": "user", "content": f"Question {rng.random()}"}], said, rubric


def test_three_frameworks_get_the_same_number_over_a_thousand_random_rubrics() -> None:
    rng = random.Random(11)
    cases = [_random_case(rng) for _ in range(1000)]
    rows = [row(prompt, rubric, extra={"id": at}) for at, (prompt, _, rubric) in enumerate(cases)]
    said = [answer for _, answer, _ in cases]

    async def through_trl() -> list[float | None]:
        completions = [[{"role": "assistant", "content": text}] for text in said]
        prompts, rubrics_ = [r["prompt"] for r in rows], [r["rubrics"] for r in rows]
        return await trl_reward(Scorer(WordJudge()))(
            prompts=prompts, completions=completions, rubrics=rubrics_, id=said
        )

    async def through_verl() -> list[float]:
        score = verl_reward(Scorer(WordJudge()))
        results = [
            await score(r["data_source"], text, r["reward_model"]["ground_truth"], r["extra_info"], any_more=1)
            for r, text in zip(rows, said, strict=True)
        ]
        return [result["score"] for result in results]

    def through_openrlhf() -> list[float]:
        background = Background()
        score = openrlhf_reward(Scorer(WordJudge()), background, tensor=list)
        prompts = [f"<user>{r['prompt'][0]['content']}<assistant>" for r in rows]
        labels = [json.dumps({"rubrics": r["rubrics"], "prompt": r["prompt"]}) for r in rows]
        queries = [prompt + text + rng.choice(TAILS) for prompt, text in zip(prompts, said, strict=True)]
        halves = [score(queries[part], prompts[part], labels[part]) for part in (slice(500), slice(500, None))]
        background.close()
        return [*halves[0]["rewards"], *halves[1]["rewards"]]

    trl, verl = asyncio.run(through_trl()), asyncio.run(through_verl())
    assert trl == verl == through_openrlhf()
    assert len(set(trl)) > 100


def test_what_ends_an_answer_costs_it_no_length() -> None:
    prompt, said = "Q", " ".join(["word"] * 250)
    assert written(f"{prompt}{said}{' '.join([END, *[PAD] * 200])}", prompt, SPECIAL) == said


def test_a_query_that_is_not_of_its_prompt_gets_no_reward() -> None:
    background = Background()
    score = openrlhf_reward(Scorer(WordJudge()), background, tensor=list)
    label = json.dumps({"rubrics": Rubric((Item("names thing0x", 5),)).to_json(), "prompt": "thing0x?"})
    with pytest.raises(NotItsPrompt, match="does not begin with its prompt"):
        score([f"{PAD}thing0x?"], ["thing0x?"], [label])
    background.close()


async def test_trl_leaves_an_unjudged_sample_out() -> None:
    reward = trl_reward(Scorer(WordJudge(frozenset({"thing0x"}))), form_weight=0.1)
    rubric = Rubric((Item("names thing0x", 5),)).to_json()
    well_formed = ["Rest today.", "See a doctor."]
    assert await reward(prompts=["q", "q"], completions=well_formed, rubrics=[rubric, rubric]) == [None, None]


async def test_verl_stops_rather_than_learn_from_an_outage() -> None:
    score = verl_reward(Scorer(WordJudge(frozenset({"thing0x"}))), patience_s=0)
    with pytest.raises(Unjudged, match="words gave no verdict"):
        await score("clinalign", "a", Rubric((Item("names thing0x", 5),)).to_json(), {"prompt": "q"})


def test_a_scorer_serves_one_event_loop_after_another() -> None:
    rubric = Rubric(tuple(Item(f"names thing{at}x", 1.0) for at in range(6)))
    scorer = Scorer(WordJudge(), concurrency=1)
    for answer in ("thing1x", "thing2x", "thing1x"):
        reward = asyncio.run(scorer.score(ASKED, answer, rubric))
        assert reward is not None
        assert reward.value == pytest.approx(1 / 6)
