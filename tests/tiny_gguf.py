"""A Qwen3 of random weights as a GGUF file, small enough to be written and served within a second."""

from pathlib import Path

import gguf
import numpy as np

_WIDTH, _LAYERS, _HEADS, _FORWARD, _CONTEXT = 64, 2, 4, 128, 2048
_CONTROL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def write(path: Path, *, seed: int = 0) -> Path:
    """Write the file and give its path back."""
    writer = gguf.GGUFWriter(str(path), "qwen3")
    _describe(writer)
    _add_tokenizer(writer)
    _add_weights(writer, np.random.default_rng(seed))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _describe(writer: gguf.GGUFWriter) -> None:
    writer.add_name("tiny random qwen3")
    writer.add_context_length(_CONTEXT)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(_LAYERS)
    writer.add_feed_forward_length(_FORWARD)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_key_length(_WIDTH // _HEADS)
    writer.add_value_length(_WIDTH // _HEADS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10_000.0)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)


def _add_tokenizer(writer: gguf.GGUFWriter) -> None:
    """One token a byte, and the control tokens of ChatML."""
    tokens = [*_byte_letters(), "Ye", "Yes", "No", *_CONTROL]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.CONTROL if token in _CONTROL else gguf.TokenType.NORMAL for token in tokens])
    writer.add_token_merges(["Y e", "Ye s", "N o"])
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_pad_token_id(tokens.index("<|endoftext|>"))
    writer.add_add_bos_token(False)
    writer.add_chat_template(_TEMPLATE)


def _byte_letters() -> list[str]:
    """GPT-2's letter for each byte: printable ones stand for themselves, the rest for letters from 256 on."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(others)) for byte in range(256)]


def _add_weights(writer: gguf.GGUFWriter, random: np.random.Generator) -> None:
    def matrix(name: str, out: int, into: int) -> None:
        writer.add_tensor(name, random.normal(0, 0.05, (out, into)).astype(np.float32))

    def ones(name: str, size: int) -> None:
        writer.add_tensor(name, np.ones(size, dtype=np.float32))

    matrix("token_embd.weight", 256 + 3 + len(_CONTROL), _WIDTH)
    ones("output_norm.weight", _WIDTH)
    for layer in range(_LAYERS):
        block = f"blk.{layer}"
        for norm, size in (("attn_norm", _WIDTH), ("ffn_norm", _WIDTH)):
            ones(f"{block}.{norm}.weight", size)
        for norm in ("attn_q_norm", "attn_k_norm"):
            ones(f"{block}.{norm}.weight", _WIDTH // _HEADS)
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            matrix(f"{block}.{part}.weight", _WIDTH, _WIDTH)
        matrix(f"{block}.ffn_gate.weight", _FORWARD, _WIDTH)
        matrix(f"{block}.ffn_up.weight", _FORWARD, _WIDTH)
        matrix(f"{block}.ffn_down.weight", _WIDTH, _FORWARD)
