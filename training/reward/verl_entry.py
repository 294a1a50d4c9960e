"""What verl loads as `custom_reward_function`: one scorer a reward worker, its judge named by the environment."""

import asyncio
import os
from collections.abc import Mapping
from typing import Any

from training.models import Endpoint, Model
from training.reward.adapters import verl_reward
from training.reward.judges import ModelJudge
from training.reward.scorer import Scorer
from training.reward.shaping import Length

_scorers: dict[int, Scorer] = {}


async def compute_score(
    data_source: str, solution_str: str, ground_truth: str, extra_info: Mapping[str, Any], **more: Any
) -> dict[str, Any]:
    """The reward of one answer, as verl asks for it.

    Raises:
        Unjudged: the judge gave no verdict within ten minutes; the run stops and is resumed later.
        KeyError: CLINALIGN_REWARD_URL is not set.

    """
    scorer = await _scorer()
    return await verl_reward(scorer)(data_source, solution_str, ground_truth, extra_info, **more)


async def _scorer() -> Scorer:
    """The scorer of this event loop, whose connections live as long as the worker."""
    loop = id(asyncio.get_running_loop())
    if loop not in _scorers:
        endpoint = Endpoint(
            os.environ["CLINALIGN_REWARD_URL"],
            os.environ.get("CLINALIGN_REWARD_MODEL", "default"),
            "CLINALIGN_REWARD_KEY",
            int(os.environ.get("CLINALIGN_REWARD_CONCURRENCY", "64")),
        )
        model = await Model.at(endpoint).__aenter__()
        words = int(os.environ.get("CLINALIGN_REWARD_ALLOWED_WORDS", "250"))
        _scorers[loop] = Scorer(ModelJudge(model), length=Length(words), concurrency=endpoint.concurrency)
    return _scorers[loop]
