"""What OpenRLHF takes as `--reward.remote_url training/reward/openrlhf_entry.py`: the rewards of a batch of answers.

Rows are those of `clinalign train synthesize --parquet`; training/runs/README.md names the options. The judge is named
by the environment as verl's is: CLINALIGN_REWARD_URL, _MODEL and _KEY. OpenRLHF logs what is raised here and goes on
without a reward, until it puts the batch's rewards together: there its run stops.
"""

from collections.abc import Sequence
from typing import Any

from training.reward import from_environment


def reward_func(queries: Sequence[str], prompts: Sequence[str], labels: Sequence[str], **_: object) -> dict[str, Any]:
    """The rewards, as OpenRLHF asks for them.

    Raises:
        Unjudged: the judge gave no verdict within ten minutes; the run stops and is resumed later.
        NotItsPrompt: a query does not begin with its prompt, as where OpenRLHF cut a prompt that was too long.
        KeyError: CLINALIGN_REWARD_URL is not set.

    """
    return from_environment.openrlhf()(queries, prompts, labels)
