"""The one scorer as TRL, verl and OpenRLHF call a reward; all three give the same numbers, TRL's with the form beside.

TRL leaves a sample out where all of its rewards are None, and so it has one alone here: the form's by itself would be a
low reward of what nobody judged. The other two know no None: there an answer that cannot be judged is asked for again,
and stops the run after `patience_s`, which resumes from its last state. A number would teach a lie.
"""

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from service.domain.conversation import Message, Role
from training import chatml
from training.reward.rubric import Rubric
from training.reward.scorer import Reward, Scorer
from training.reward.shaping import form

_PAUSE_S = 2.0
_Result = TypeVar("_Result")
Turns = str | Sequence[Mapping[str, str]]


class Unjudged(RuntimeError):
    """The judge did not answer within the patience; the run stops here and is resumed when it does."""


class NotItsPrompt(ValueError):
    """OpenRLHF's query and prompt do not belong together: the tokenizer's text is not what was tokenized, say."""


def trl_reward(scorer: Scorer, *, form_weight: float = 0.0) -> Callable[..., Awaitable[list[float | None]]]:
    """For GRPOTrainer(reward_funcs=[...]), alone: reads the rows' column `rubrics`.

    The rubric's reward and `form_weight` times the form's; None where the judge failed. TRL logs the mean of each.
    """

    async def rubric_and_form(
        prompts: Sequence[Turns],
        completions: Sequence[Turns],
        rubrics: Sequence[str],
        log_metric: Callable[[str, float], object] = lambda _name, _mean: None,
        **_: object,
    ) -> list[float | None]:
        rows = zip(prompts, completions, rubrics, strict=True)
        rewards = await asyncio.gather(*(scorer.score(messages(p), answer(c), Rubric.from_json(r)) for p, c, r in rows))
        forms = [form(answer(completion)) for completion in completions]
        judged = [(reward.value, form) for reward, form in zip(rewards, forms, strict=True) if reward]
        if judged:
            log_metric("rewards/rubric/mean", sum(value for value, _ in judged) / len(judged))
            log_metric("rewards/form/mean", sum(form for _, form in judged) / len(judged))
        return [
            reward.value + form_weight * form if reward else None for reward, form in zip(rewards, forms, strict=True)
        ]

    return rubric_and_form


def verl_reward(scorer: Scorer, *, patience_s: float = 600.0) -> Callable[..., Awaitable[dict[str, Any]]]:
    """For verl's `custom_reward_function`: an async `compute_score`. `ground_truth` is the rubric's JSON."""

    async def compute_score(
        data_source: str, solution_str: str, ground_truth: str, extra_info: Mapping[str, Any], **_: object
    ) -> dict[str, Any]:
        del data_source
        asked = messages(extra_info["prompt"])
        reward = await patient(scorer, asked, solution_str, Rubric.from_json(ground_truth), patience_s=patience_s)
        return {"score": reward.value, "rubric": reward.rubric, "length_penalty": reward.penalty}

    return compute_score


class Background:
    """An event loop in a thread of its own: a framework that calls plainly gets the same connections each time."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="reward")
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """The result of the work, once it is there."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        """The loop ends, and what was opened in it with it."""
        self.run(self._loop.shutdown_asyncgens())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def openrlhf_reward(
    scorer: Scorer,
    background: Background,
    *,
    tensor: Callable[[list[float]], Any],
    ends: Sequence[str] = chatml.SPECIAL,
    patience_s: float = 600.0,
) -> Callable[..., dict[str, Any]]:
    """For OpenRLHF's `--reward.remote_url file.py`: `labels` are JSON of `rubrics` and `prompt`.

    `queries` are prompts with their answers as one text, and `prompts` the same prompts: what follows is the answer, up
    to the first of `ends`. OpenRLHF decodes with special tokens left in, the answer's end and the padding among them.
    `tensor` is torch.tensor, which this module does without.
    """

    def reward_func(queries: Sequence[str], prompts: Sequence[str], labels: Sequence[str]) -> dict[str, Any]:
        rewards = background.run(_all(queries, prompts, labels))
        values = tensor([reward.value for reward in rewards])
        return {
            "rewards": values,
            "scores": values,
            "extra_logs": {
                "rubric": tensor([reward.rubric for reward in rewards]),
                "length_penalty": tensor([reward.penalty for reward in rewards]),
            },
        }

    async def _all(queries: Sequence[str], prompts: Sequence[str], labels: Sequence[str]) -> list[Reward]:
        async def one(query: str, prompt: str, label: str) -> Reward:
            known = json.loads(label)
            rubric = Rubric.from_json(known["rubrics"])
            said = written(query, prompt, ends)
            return await patient(scorer, messages(known["prompt"]), said, rubric, patience_s=patience_s)

        rows = zip(queries, prompts, labels, strict=True)
        return list(await asyncio.gather(*(one(*row) for row in rows)))

    return reward_func


def written(query: str, prompt: str, ends: Sequence[str]) -> str:
    """What follows the prompt, without what ends it.

    Raises:
        NotItsPrompt: the query begins with something else. To score it whole would reward the prompt's own words.

    """
    if not query.startswith(prompt):
        raise NotItsPrompt(f"a query of {len(query)} letters does not begin with its prompt of {len(prompt)}")
    said = query[len(prompt) :]
    return said[: min((at for end in ends if (at := said.find(end)) >= 0), default=len(said))]


async def patient(scorer: Scorer, prompt: Sequence[Message], said: str, rubric: Rubric, *, patience_s: float) -> Reward:
    """The reward, asked for again while the judge fails.

    Raises:
        Unjudged: it failed for `patience_s` seconds.

    """
    until = time.monotonic() + patience_s
    while (reward := await scorer.score(prompt, said, rubric)) is None:
        if time.monotonic() + _PAUSE_S > until:
            raise Unjudged(f"the judge {scorer.judge.name} gave no verdict for {patience_s:.0f} s")
        await asyncio.sleep(_PAUSE_S)
    return reward


def messages(prompt: Turns) -> tuple[Message, ...]:
    """A prompt as messages; plain text is what a user says."""
    if isinstance(prompt, str):
        return (Message(Role.USER, prompt),)
    return tuple(Message(Role(turn["role"]), turn["content"]) for turn in prompt)


def answer(completion: Turns) -> str:
    """A completion's words: TRL gives text, or the turns that followed the prompt."""
    return completion if isinstance(completion, str) else "".join(turn["content"] for turn in completion)
