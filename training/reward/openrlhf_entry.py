"""What OpenRLHF takes as `--remote_rm_url training/reward/openrlhf_entry.py`: the rewards of a batch of answers.

Rows are those of `clinalign train synthesize --parquet`: `--input_key prompt --apply_chat_template --label_key label`.
The judge is named by the environment as verl's is: CLINALIGN_REWARD_URL, _MODEL and _KEY.
"""

from collections.abc import Sequence
from typing import Any

from training.reward import from_environment


def reward_func(queries: Sequence[str], prompts: Sequence[str], labels: Sequence[str], **_: object) -> dict[str, Any]:
    """The rewards, as OpenRLHF asks for them.

    Raises:
        Unjudged: the judge gave no verdict within ten minutes; the run stops and is resumed later.
        NotItsPrompt: a query does not begin with its prompt.
        KeyError: CLINALIGN_REWARD_URL is not set.

    """
    return from_environment.openrlhf()(queries, prompts, labels)
