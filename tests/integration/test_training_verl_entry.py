"""verl's entry holds one judge, its connections open, from answer to answer."""

import gc
import json
from collections.abc import AsyncIterator

import pytest

from tests.rubric_model import Served, served
from training.reward import verl_entry
from training.reward.judges import ServedJudge

RUBRIC = json.dumps([{"criterion": "Tells the dose.", "points": 5}, {"criterion": "Promises a cure.", "points": -5}])


@pytest.fixture
async def judge() -> AsyncIterator[Served]:
    async with served() as server:
        yield server


async def test_verls_entry_scores_answer_after_answer_with_one_judge(
    judge: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLINALIGN_REWARD_URL", judge.url)
    prompt = {"prompt": [{"role": "user", "content": "How much?"}], "num_turns": None}
    said = []
    for text in ("Two tablets.", "Three tablets.", "Two tablets."):
        gc.collect()
        said.append(await verl_entry.compute_score("clinalign", text, RUBRIC, prompt, reward_router_address=None))
    assert said[0] == said[2]
    assert set(said[0]) == {"score", "rubric", "length_penalty"}
    assert judge.asked == 4  # two verdicts of each text; the third text is the first
    held = verl_entry._scorer().judge
    verl_entry._scorer.cache_clear()
    assert isinstance(held, ServedJudge)
    await held.aclose()
