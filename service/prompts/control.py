"""Text is never control: chat templates' control tokens, made harmless in what a user, a tool or a draft wrote."""

import re

# The families of control tokens in use: ChatML and Qwen, Llama 2 to 4, Gemma, Mistral, DeepSeek (full-width bars),
# Phi, thinking and tool blocks. A tokenizer takes these strings, and only these exact strings, for control.
_CONTROL = re.compile(
    r"""
      <\|[^<>|\s]{1,64}\|>                                   # <|im_start|>, <|eot_id|>, <|endoftext|>
    | <\uff5c[^<>]{1,64}\uff5c>                                       # DeepSeek's full-width bars, with spaces too
    | </?(?:s|bos|eos|pad|unk|mask|think|thinking|tool_call|tool_response|tools|image|video|audio|sep|cls)>
    | <(?:start|end)_of_(?:turn|image|text|role)>
    | \[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|IMG|THINK)\]
    | <</?SYS>>
    """,
    re.VERBOSE | re.IGNORECASE,
)


def neutralise(text: str) -> str:
    """The text with a space after the first character of each control token: it reads the same and controls nothing.

    Idempotent, and the identity on text that holds none.
    """
    while True:
        mended = _CONTROL.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)
        if mended == text:
            return text
        text = mended
