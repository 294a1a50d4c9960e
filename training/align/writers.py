"""Who writes rollouts: rows come in; `samples` answers to each, by a model here or by one that is served, go out."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from training.align.config import AlignConfig, Rollouts
from training.align.rollouts import Writes
from training.align.row import Row
from training.models import Endpoint, Model


def precision(*, adapters: bool = True) -> torch.dtype:
    """What a model is loaded in: many CPUs are slow in bfloat16, and weights that learn lose small steps in it."""
    return torch.bfloat16 if adapters and device().type == "cuda" else torch.float32


def device() -> torch.device:
    """Where a model that writes stands: bfloat16 is chosen for a GPU, so that is where it has to be."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Writer:
    """Writes answers with the weights of a folder, by transformers; the folder is read when the first is asked for."""

    def __init__(self, config: AlignConfig, base: Path) -> None:
        self._config, self._base = config, base
        self._loaded: tuple[PreTrainedModel, PreTrainedTokenizerBase] | None = None

    def __call__(self, rows: Sequence[Row], *, seed: int) -> list[list[str]]:
        """`samples` answers to each row."""
        if self._loaded is None:
            model = AutoModelForCausalLM.from_pretrained(self._base, dtype=precision())
            self._loaded = model.to(device()).eval(), AutoTokenizer.from_pretrained(self._base, padding_side="left")
        model, tokenizer = self._loaded
        settings = self._config.rollouts
        prompts = [tokenizer.apply_chat_template(r.turns, tokenize=False, add_generation_prompt=True) for r in rows]
        ids = tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False).to(model.device)
        ids.pop("token_type_ids", None)
        torch.manual_seed(seed)
        with torch.no_grad():
            said = model.generate(
                **ids,
                do_sample=True,
                temperature=settings.temperature,
                top_k=0,
                top_p=1.0,
                max_new_tokens=settings.max_tokens,
                num_return_sequences=settings.samples,
            )
        texts = tokenizer.batch_decode(said[:, ids["input_ids"].shape[1] :], skip_special_tokens=True)
        return [texts[at : at + settings.samples] for at in range(0, len(texts), settings.samples)]


def served_writer(settings: Rollouts) -> Writes:
    """Writes answers by a server of the base's weights, such as vLLM; one call an answer, each with its own seed."""
    endpoint = Endpoint(settings.url, settings.model, "CLINALIGN_MODEL_KEY", settings.batch)

    async def answered(rows: Sequence[Row], seed: int) -> list[list[str]]:
        async with Model.at(endpoint) as model:

            async def one(row: Row, number: int) -> str:
                reply = await model.ask(
                    row.prompt, temperature=settings.temperature, seed=seed + number, max_tokens=settings.max_tokens
                )
                return reply.text

            calls = [asyncio.gather(*(one(row, number) for number in range(settings.samples))) for row in rows]
            return [list(texts) for texts in await asyncio.gather(*calls)]

    def write(rows: Sequence[Row], *, seed: int) -> list[list[str]]:
        return asyncio.run(answered(rows, seed))

    return write
