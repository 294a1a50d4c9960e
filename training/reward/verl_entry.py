"""What verl loads as `custom_reward_function`: one scorer a reward worker, its judge named by the environment."""

from collections.abc import Mapping
from typing import Any

from training.reward.adapters import verl_reward
from training.reward.from_environment import scorer


async def compute_score(
    data_source: str, solution_str: str, ground_truth: str, extra_info: Mapping[str, Any], **more: Any
) -> dict[str, Any]:
    """The reward of one answer, as verl asks for it.

    Raises:
        Unjudged: the judge gave no verdict within ten minutes; the run stops and is resumed later.
        KeyError: CLINALIGN_REWARD_URL is not set.

    """
    return await verl_reward(scorer())(data_source, solution_str, ground_truth, extra_info, **more)
