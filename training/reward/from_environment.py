"""The reward of frameworks that load a file and call it: one scorer a process, its judge named by the environment."""

import os
import threading
from collections.abc import Callable
from functools import cache
from typing import Any

from training import chatml
from training.models import Endpoint
from training.reward.adapters import Background, openrlhf_reward
from training.reward.judges import ServedJudge
from training.reward.scorer import Scorer
from training.reward.shaping import Length

_FIRST = threading.Lock()


@cache
def scorer() -> Scorer:
    """The scorer of this process.

    Raises:
        KeyError: CLINALIGN_REWARD_URL is not set.

    """
    endpoint = Endpoint(
        os.environ["CLINALIGN_REWARD_URL"],
        os.environ.get("CLINALIGN_REWARD_MODEL", "default"),
        "CLINALIGN_REWARD_KEY",
        int(os.environ.get("CLINALIGN_REWARD_CONCURRENCY", "64")),
    )
    words = int(os.environ.get("CLINALIGN_REWARD_ALLOWED_WORDS", "250"))
    return Scorer(ServedJudge(endpoint), length=Length(words), concurrency=endpoint.concurrency)


def openrlhf() -> Callable[..., dict[str, Any]]:
    """OpenRLHF's reward of this process, with connections that stay from call to call.

    It calls from a thread an answer: without the lock the first of them would each make a scorer, with a cache and a
    limit of calls of its own. CLINALIGN_REWARD_ENDS holds the special tokens that end an answer, with spaces between;
    else they are ChatML's.
    """
    with _FIRST:
        return _openrlhf()


@cache
def _openrlhf() -> Callable[..., dict[str, Any]]:
    import torch  # noqa: PLC0415 - OpenRLHF has it, the gateway has not

    ends = tuple(os.environ.get("CLINALIGN_REWARD_ENDS", "").split()) or chatml.SPECIAL
    return openrlhf_reward(scorer(), Background(), tensor=torch.tensor, ends=ends)
