"""What verl loads as `custom_reward_function`: one scorer a reward worker, its judge named by the environment."""

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from training.models import Endpoint
from training.reward.adapters import verl_reward
from training.reward.judges import ServedJudge
from training.reward.scorer import Scorer
from training.reward.shaping import Length


async def compute_score(
    data_source: str, solution_str: str, ground_truth: str, extra_info: Mapping[str, Any], **more: Any
) -> dict[str, Any]:
    """The reward of one answer, as verl asks for it.

    Raises:
        Unjudged: the judge gave no verdict within ten minutes; the run stops and is resumed later.
        KeyError: CLINALIGN_REWARD_URL is not set.

    """
    return await verl_reward(_scorer())(data_source, solution_str, ground_truth, extra_info, **more)


@cache
def _scorer() -> Scorer:
    """The scorer of this worker."""
    endpoint = Endpoint(
        os.environ["CLINALIGN_REWARD_URL"],
        os.environ.get("CLINALIGN_REWARD_MODEL", "default"),
        "CLINALIGN_REWARD_KEY",
        int(os.environ.get("CLINALIGN_REWARD_CONCURRENCY", "64")),
    )
    words = int(os.environ.get("CLINALIGN_REWARD_ALLOWED_WORDS", "250"))
    return Scorer(ServedJudge(endpoint), length=Length(words), concurrency=endpoint.concurrency)
