"""Export: a run's state in, a checkpoint folder out that transformers, vLLM and (by way of GGUF) llama.cpp load."""

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from training.chatml import END, PAD, SPECIAL, TEMPLATE
from training.export import manifest, provenance
from training.supervised import log
from training.supervised import network as networks
from training.supervised.config import RunConfig
from training.supervised.learner import BEST

LARGEST_MB = 30


def export(config: RunConfig, out: Path) -> dict[str, Any]:
    """Writes the run's best weights to `out` and returns the manifest; the model card is written after evaluation.

    Raises:
        ValueError: the weights are larger than the checkpoint may be.

    """
    out.mkdir(parents=True, exist_ok=True)
    for stale in ("README.md", "evaluation.json"):
        (out / stale).unlink(missing_ok=True)
    state = torch.load(config.folder / BEST, weights_only=True, map_location="cpu")
    tokenizer = Tokenizer.from_file(str(config.folder / "tokenizer.json"))
    special = {text: tokenizer.token_to_id(text) for text in SPECIAL}
    network = networks.new(config.shape, special)
    network.load_state_dict(state["model"])
    network.bfloat16()
    tied = {name: value.contiguous() for name, value in network.state_dict().items() if name != "lm_head.weight"}
    save_file(tied, out / "model.safetensors", metadata={"format": "pt"})
    (out / "model.safetensors").chmod(0o644)
    network.config.use_cache = True
    network.config.dtype = torch.bfloat16
    network.config.architectures = ["Qwen3ForCausalLM"]
    network.config.save_pretrained(out)
    _json(
        out / "generation_config.json",
        {"do_sample": False, "eos_token_id": special[END], "pad_token_id": special[PAD], "use_cache": True},
    )
    tokenizer.save(str(out / "tokenizer.json"))
    _json(out / "tokenizer_config.json", _tokenizer_config(config))
    (out / "chat_template.jinja").write_text(TEMPLATE, encoding="utf-8")
    size = (out / "model.safetensors").stat().st_size / 1e6
    if size > LARGEST_MB:
        raise ValueError(f"{out}: the weights take {size:.1f} MB, more than {LARGEST_MB}")
    parameters = sum(p.numel() for p in network.parameters())
    return manifest.seal(out, _facts(config, steps=state["step"], parameters=parameters, score=state["score"]))


def _facts(config: RunConfig, *, steps: int, parameters: int, score: float) -> dict[str, Any]:
    start = Path(config.start)
    return {
        "name": "clinalign-demo",
        "demonstration": True,
        "licence": "Apache-2.0",
        "parameters": parameters,
        "run": config.raw,
        "steps": steps,
        "tokens": log.tokens(config.folder / log.LOG, steps=steps),
        "held_out_score": score,
        "git_revision": provenance.revision(),
        "data": provenance.sources(),
        **({"editions_before": manifest.editions_to(start, config.start_sha256)} if config.start else {}),
    }


def _tokenizer_config(config: RunConfig) -> dict[str, Any]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": config.shape.context,
        "eos_token": END,
        "pad_token": PAD,
        "clean_up_tokenization_spaces": False,
        "add_prefix_space": False,
    }


def _json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
