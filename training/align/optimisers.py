"""TRL's trainers with our defaults: a model, rows and a stage's options come in; a trainer that resumes goes out.

Dense models are trained by Dr. GRPO with DAPO's wide clip, or by DAPO where the TOML's `loss_type` says so, mixtures of
experts by GSPO; any of it can be set otherwise in the TOML. TRL's own documentation and the papers give the reasons.
"""

import difflib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from torch.distributed.checkpoint.state_dict import StateDictOptions, set_model_state_dict
from torch.distributed.fsdp import FSDPModule
from torch.utils.data import Sampler
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase, Trainer
from trl import DPOConfig, DPOTrainer, GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer

from training.align.config import AlignConfig, BadRun, Lora, Stage
from training.align.ranks import ranks
from training.align.rollouts import Pair
from training.align.row import Row
from training.align.rows import as_columns, woven
from training.align.shared import SharedPrompts
from training.reward.adapters import trl_reward
from training.reward.scorer import Scorer

_WIDE = {"epsilon_high": 0.28, "mask_truncated_completions": True}
_DR_GRPO = {"loss_type": "dr_grpo", "scale_rewards": "none", **_WIDE}
_DAPO = {"loss_type": "dapo", "scale_rewards": "group", **_WIDE}
_GSPO = {
    "loss_type": "grpo",
    "importance_sampling_level": "sequence",
    "epsilon": 3e-4,
    "epsilon_high": 4e-4,
    "mask_truncated_completions": True,
}


class WholeWeights:
    """Resumes from weights as `from_pretrained` reads them.

    A trainer's own way to load a checkpoint passes over experts that are stored under other names than they train
    under, and goes on with fresh ones without a word (transformers, issue 48805).
    """

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        target = model if model is not None else self.model  # type: ignore[attr-defined]
        if (Path(resume_from_checkpoint) / "adapter_config.json").exists():
            super()._load_from_checkpoint(resume_from_checkpoint, model)  # type: ignore[misc]
            return
        fill(target, Path(resume_from_checkpoint))


class ResumableSFT(WholeWeights, SFTTrainer):
    """SFT."""


class ResumableDPO(WholeWeights, DPOTrainer):
    """DPO."""


class EpochOrder(Sampler[int]):
    """TRL's order of prompts, drawn anew from seed and epoch alone.

    By itself it goes on drawing from one generator, so that a run resumed in a later epoch sees another order than one
    that was never stopped.
    """

    def __init__(self, sampler: Any) -> None:
        self._sampler = sampler

    def __iter__(self) -> Iterator[int]:
        return iter(self._sampler)

    def __len__(self) -> int:
        return len(self._sampler)

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer before each epoch."""
        if self._sampler.shuffle:
            self._sampler.generator.manual_seed(self._sampler.seed + epoch)


class _InEpochs(GRPOTrainer):
    def _get_train_sampler(self, dataset: Any = None) -> EpochOrder:
        return EpochOrder(super()._get_train_sampler(dataset))


class ResumableGRPO(WholeWeights, _InEpochs):
    """GRPO and its kin."""


class SharingGRPO(WholeWeights, _InEpochs, SharedPrompts):
    """The same, each prompt computed once for all of its samples."""


def fill(model: Any, folder: Path) -> None:
    """Gives a model the weights of a folder; where its weights are sharded, the main process reads them for all.

    There the others' `from_pretrained` gives zeros, as fsdp.yaml asks, to keep one copy in memory.
    """
    if not isinstance(model, FSDPModule):
        saved = AutoModelForCausalLM.from_pretrained(folder, dtype=model.dtype)
        model.load_state_dict(saved.state_dict())
        return
    state = {}
    if ranks().is_main_process:
        state = AutoModelForCausalLM.from_pretrained(folder, dtype=model.dtype).state_dict()
    set_model_state_dict(model, state, options=StateDictOptions(full_state_dict=True, broadcast_from_rank0=True))


def referred(trainer: Trainer) -> Trainer:
    """The trainer, its reference model whole where it has one that is sharded.

    TRL shards what each process has read, and all but the main one have read zeros: the policy would be held against a
    model that is half nothing, without a word.
    """
    reference = getattr(trainer, "ref_model", None)
    if isinstance(reference, FSDPModule):
        fill(reference, Path(reference.config._name_or_path))  # noqa: SLF001 - where TRL itself read it from
    return trainer


def is_mixture(model: PreTrainedModel) -> bool:
    """Whether it has experts."""
    return "num_experts" in model.config.to_dict()


def sft(
    config: AlignConfig, stage: Stage, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, pairs: Sequence[Pair]
) -> Trainer:
    """On the best answer to each prompt: only its tokens are learnt."""
    rows = [{"prompt": p.row.turns, "completion": [{"role": "assistant", "content": p.best.text}]} for p in pairs]
    return ResumableSFT(
        model=model,
        args=arguments(config, stage),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        peft_config=_lora(config.lora),
    )


def dpo(
    config: AlignConfig, stage: Stage, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, pairs: Sequence[Pair]
) -> Trainer:
    """On the best answer to each prompt against the worst."""
    rows = [
        {
            "prompt": p.row.turns,
            "chosen": [{"role": "assistant", "content": p.best.text}],
            "rejected": [{"role": "assistant", "content": p.worst.text}],
        }
        for p in pairs
    ]
    return referred(
        ResumableDPO(
            model=model,
            args=arguments(config, stage),
            train_dataset=Dataset.from_list(rows),
            processing_class=tokenizer,
            peft_config=_lora(config.lora),
        )
    )


def grpo(
    config: AlignConfig,
    stage: Stage,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[Row],
    scorer: Scorer,
) -> Trainer:
    """By rubric reward, and the format's beside it. A sample whose judge failed has no advantage, whatever its form."""
    logging.getLogger(GRPOTrainer.__module__).addFilter(_tells_nobodys_words)
    settings = arguments(config, stage, mixture=is_mixture(model))
    if len(config.data.tasks) > 1:
        block = settings.generation_batch_size // settings.num_generations
        rows = woven(rows, block=block, pattern=config.data.tasks)
    if config.rollouts.shared_prompts:
        check_shared(settings)
    trainer = SharingGRPO if config.rollouts.shared_prompts else ResumableGRPO
    return referred(
        trainer(
            model=model,
            args=settings,
            train_dataset=Dataset.from_dict(as_columns(rows)),
            reward_funcs=[trl_reward(scorer, form_weight=config.reward.form_weight)],
            processing_class=tokenizer,
            peft_config=_lora(config.lora),
        )
    )


def _tells_nobodys_words(record: logging.LogRecord) -> bool:
    """TRL warns of a sample without a reward by its prompt and reply: the run's figures count them, without a word."""
    return "reward functions returned None" not in record.getMessage()


def check_shared(settings: Any) -> None:
    """Refuses what sharing prompts does not do: a batch that parts a prompt's samples, or another way to sample.

    Raises:
        BadRun: the option's name.

    """
    plain = {"top_p": 1.0, "top_k": 0, "min_p": None, "repetition_penalty": 1.0, "use_vllm": False}
    plain |= {"gradient_accumulation_steps": 1, "gradient_checkpointing": False, "world_size": 1}
    for name, only in plain.items():
        if (found := getattr(settings, name)) != only and not (name == "top_k" and not found):
            raise BadRun(f"[grpo] {name} = {found}: with [rollouts] shared_prompts it can only be {only}")
    if settings.per_device_train_batch_size != settings.generation_batch_size:
        raise BadRun("[grpo] generation_batch_size: with [rollouts] shared_prompts a step learns from all its samples")


def arguments(config: AlignConfig, stage: Stage, *, mixture: bool = False) -> Any:
    """TRL's own settings of a stage: what its config class takes, checked by it.

    Raises:
        BadRun: an option of the TOML is none of its, or options do not go together; the message names section and key.

    """
    kind, defaults = _trls(config, stage, mixture=mixture)
    if unknown := sorted(stage.options.keys() - {f.name for f in fields(kind) if f.init}):
        near = difflib.get_close_matches(unknown[0], [f.name for f in fields(kind)], 1)
        meant = f"; did you mean {near[0]}?" if near else ""
        raise BadRun(f"[{stage.kind}] {unknown[0]} is no option of TRL's {kind.__name__}{meant}")
    if "reward_weights" in stage.options:
        raise BadRun(f"[{stage.kind}] reward_weights: the rubric weighs 1, and the form [reward] form_weight")
    try:
        return kind(**{**defaults, **_common(config, stage)})
    except (TypeError, ValueError) as error:
        raise BadRun(f"[{stage.kind}] {error}") from error


def _trls(config: AlignConfig, stage: Stage, *, mixture: bool) -> tuple[Any, dict[str, Any]]:
    """The class of a stage's settings, and what is ours of its defaults."""
    match stage.kind:
        case "sft":
            return SFTConfig, {"completion_only_loss": True}
        case "dpo":
            return DPOConfig, {}
        case "grpo":
            dense = _DAPO if stage.options.get("loss_type") == "dapo" else _DR_GRPO
            return GRPOConfig, {**(_GSPO if mixture else dense), "shuffle_dataset": len(config.data.tasks) == 1}
        case _:
            raise BadRun(f"[{stage.kind}] is no stage of TRL's")


def _common(config: AlignConfig, stage: Stage) -> dict[str, Any]:
    """What all stages share; the TOML's options come last and win."""
    on_cpu = not torch.cuda.is_available()
    return {
        "output_dir": str(config.folder / stage.kind),
        "seed": config.seed,
        "data_seed": config.seed,
        "report_to": ["tensorboard"],
        "save_only_model": False,
        "use_cpu": on_cpu,
        "bf16": not on_cpu,
        "gradient_checkpointing": not on_cpu
        and not config.rollouts.shared_prompts,  # those are kept, not computed again
        "dataloader_pin_memory": not on_cpu,
        "disable_tqdm": False,
        **stage.options,
    }


def _lora(lora: Lora | None) -> LoraConfig | None:
    if lora is None:
        return None
    return LoraConfig(r=lora.rank, lora_alpha=lora.alpha, target_modules=lora.targets, task_type="CAUSAL_LM")
