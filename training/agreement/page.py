"""The page that tells how far the engines agree: figures in, Markdown out."""

from typing import Any

_SHORT = 12


def page(figures: dict[str, Any], *, checkpoint: str, digest: str) -> str:
    """The whole page; `digest` is the checkpoint's, as its published folder is named."""
    kinds = list(figures["engines"][0]["texts"])
    rows = "\n".join(_row(engine, kinds) for engine in figures["engines"])
    said = "agree" if figures["agree"] else "do not agree"
    return f"""# Engines on one checkpoint

Written by `{figures["command"]}` (`make agreement`). On `{checkpoint}` (`{digest}`) vLLM, llama.cpp and transformers **{said}**.

{figures["dialogues"]} held-out dialogues are each asked for a draft, and for a verdict and edits where the dialogue has them, greedily and
without a schema. What each engine says is held against transformers in float32 on the same weights (`model.safetensors`
{figures["model_sha256"][:_SHORT]}...). Texts are whole replies, through the engine's own chat template and tokenizer. Tokens are
transformers' replies forced on the engine: how many of them it would have said next itself. In the last column stands the
largest difference of a verdict's probability. Counts with Wilson's 95 % intervals.

| engine | {" | ".join(f"{kind}: same text" for kind in kinds)} | forced tokens | verdicts differ by |
|---|{"---|" * len(kinds)}---|---|
{rows}

An engine agrees where every text is the same or 99.5 % of the tokens are. vLLM is its build for CPUs; llama.cpp reads the
unquantised GGUF, as the gateway does. bfloat16 is what vLLM serves in, and only told here: the bar is for float32.
The command starts each engine itself, and ends with 1 where one in float32 does not agree.
"""


def _row(engine: dict[str, Any], kinds: list[str]) -> str:
    cells = [_share(engine["texts"][kind]) for kind in kinds]
    differs = f"{engine['largest_difference_of_a_verdict']:.6f}"
    return f"| {engine['engine']} | {' | '.join(cells)} | {_share(engine['forced_tokens'])} | {differs} |"


def _share(entry: dict[str, Any]) -> str:
    if not entry["count"]:
        return "none"
    low, high = entry["interval_95"]
    return f"{entry['hits']} of {entry['count']} ({low:.3f} to {high:.3f})"
