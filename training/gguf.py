"""Writes a checkpoint's GGUF for llama.cpp, unquantised: `python -m training.gguf CHECKPOINT_DIR OUT.gguf`.

Needs numpy and gguf only, so that the gateway's own environment can do it at install. The same checkpoint always gives
the same bytes, and their digest is checked against the checkpoint's manifest.
"""

import hashlib
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGUFWriter, LlamaFileType, TokenType
from numpy.typing import NDArray

_ARCHITECTURE = "qwen3"
_NAMES: Mapping[str, str] = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_LAYER = re.compile(r"model\.layers\.(\d+)\.(.+)\.weight")


_FILES = ("config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja")
_MANIFEST = "manifest.json"
_GIVE = "give a folder that `clinalign train export` or `clinalign train run` wrote"


class CheckpointRefused(ValueError):
    """The checkpoint cannot be converted, or is not the one that its manifest describes."""


def need(checkpoint: Path, *, sealed: bool = False) -> None:
    """Whether the folder can be a checkpoint; one that is `sealed` has a manifest of its files too.

    Raises:
        CheckpointRefused: a file or a field is missing; the message says which, and what to give.

    """
    for name in (*_FILES, _MANIFEST) if sealed else _FILES:
        if not (checkpoint / name).is_file():
            raise CheckpointRefused(f"{checkpoint} is no checkpoint: {name} is missing; {_GIVE}")
    _fields(checkpoint / "config.json", {"model_type": str, "tie_word_embeddings": bool})
    if (checkpoint / _MANIFEST).is_file():
        _fields(checkpoint / _MANIFEST, {"gguf_sha256": str} | ({"files": dict} if sealed else {}))


def _fields(path: Path, wanted: Mapping[str, type]) -> None:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointRefused(f"{path} is not JSON; {_GIVE}") from error
    for name, kind in wanted.items():
        if not isinstance(told, dict) or not isinstance(told.get(name), kind):
            raise CheckpointRefused(f"{path}: field '{name}' is missing or no {kind.__name__}; {_GIVE}")


def weights(checkpoint: Path) -> str:
    """The digest of a checkpoint's weights, which its card and its name may outlive."""
    return sha256(checkpoint / "model.safetensors")


def write(checkpoint: Path, out: Path) -> str:
    """Writes `out` and returns its SHA-256.

    Raises:
        CheckpointRefused: it is no Qwen3 with tied embeddings, or the result is not what the manifest says.

    """
    need(checkpoint)
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    if config["model_type"] != _ARCHITECTURE or not config["tie_word_embeddings"]:
        raise CheckpointRefused(f"{checkpoint}: only a qwen3 with tied embeddings is converted")
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_suffix(".partial")
    writer = GGUFWriter(partial, _ARCHITECTURE)
    _describe(writer, config)
    _tokenizer(writer, checkpoint, config)
    for name, values in tensors(checkpoint / "model.safetensors"):
        writer.add_tensor(_renamed(name), values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    digest = sha256(partial)
    _check(checkpoint, digest, partial)
    partial.replace(out)
    return digest


def tensors(path: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """The bfloat16 or float32 tensors of a safetensors file, by name, as float32.

    Raises:
        CheckpointRefused: a tensor has another type.

    """
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + size])
    header.pop("__metadata__", None)
    for name, entry in sorted(header.items()):
        start, end = (8 + size + offset for offset in entry["data_offsets"])
        match entry["dtype"]:
            case "BF16":
                # A bfloat16 is the upper half of a float32.
                values = (np.frombuffer(raw[start:end], "<u2").astype("<u4") << 16).view("<f4")
            case "F32":
                values = np.frombuffer(raw[start:end], "<f4")
            case other:
                raise CheckpointRefused(f"{path}: tensor {name} is {other}; BF16 and F32 are read")
        yield name, values.reshape(entry["shape"])


def sha256(path: Path) -> str:
    """The file's digest, as the manifest writes it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _describe(writer: GGUFWriter, config: Mapping[str, Any]) -> None:
    writer.add_name("clinalign-demo")
    writer.add_license("apache-2.0")
    writer.add_file_type(LlamaFileType.ALL_F32)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])


def _tokenizer(writer: GGUFWriter, checkpoint: Path, config: Mapping[str, Any]) -> None:
    stored = json.loads((checkpoint / "tokenizer.json").read_text(encoding="utf-8"))
    special = {entry["id"] for entry in stored["added_tokens"]}
    vocabulary = sorted(stored["model"]["vocab"].items(), key=lambda item: item[1])
    if [number for _, number in vocabulary] != list(range(config["vocab_size"])):
        raise CheckpointRefused(f"{checkpoint}: the tokenizer's ids do not run from 0 to the size of the vocabulary")
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in stored["model"]["merges"]]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([token for token, _ in vocabulary])
    writer.add_token_types([TokenType.CONTROL if number in special else TokenType.NORMAL for _, number in vocabulary])
    writer.add_token_merges(merges)
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_pad_token_id(config["pad_token_id"])
    writer.add_add_bos_token(False)  # noqa: FBT003 - the writer's own signature
    writer.add_chat_template((checkpoint / "chat_template.jinja").read_text(encoding="utf-8"))


def _renamed(name: str) -> str:
    if found := _LAYER.fullmatch(name):
        return f"blk.{found[1]}.{_NAMES[found[2]]}.weight"
    return _NAMES[name]


def _check(checkpoint: Path, digest: str, partial: Path) -> None:
    """The manifest's word on the result; a checkpoint that is being exported has no manifest yet."""
    manifest = checkpoint / _MANIFEST
    if not manifest.exists():
        return
    expected = json.loads(manifest.read_text(encoding="utf-8"))["gguf_sha256"]
    if digest != expected:
        partial.unlink()
        raise CheckpointRefused(f"{checkpoint}: the GGUF's digest is {digest}, the manifest says {expected}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m training.gguf CHECKPOINT_DIR OUT.gguf")
    print(write(Path(sys.argv[1]), Path(sys.argv[2])))
