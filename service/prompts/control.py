"""Text is never control: chat templates' control tokens, made harmless in what a user, a tool or a draft wrote."""

import json
import re

from service.domain.conversation import ToolCall
from service.domain.enquiry import Tool

# The families of control tokens in use: ChatML and Qwen, Llama 2 to 4, Gemma, Mistral, DeepSeek (full-width bars),
# Phi, GLM, EXAONE, Cohere, Seed, thinking and tool blocks. A tokenizer takes these strings, and only these exact
# strings, for control.
_CONTROL = re.compile(
    r"""
      <\|[^<>|\s]{1,64}\|>                                   # <|im_start|>, <|eot_id|>, <|endoftext|>
    | <\uff5c[^<>]{1,64}\uff5c>                                       # DeepSeek's full-width bars, with spaces too
    | </?(?:s|bos|eos|pad|unk|mask|think|thinking|tool_call|tool_response|tools|image|video|audio|sep|cls)>
    | </?(?:arg_key|arg_value|sop|eop|(?:bos|eos|pad|unk|mask|cls|eop)_token|(?:image|audio)_soft_token)>
    | <(?:start|end)_of_(?:turn|image|text|role)>
    | <(?:unused|extra_id_|special_)\d{1,5}>
    | <seed:[a-z_:]{1,64}>
    | \[\|[a-z_]{1,64}\|\]
    | \[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|MODEL_SETTINGS|ARGS|CALL_ID)\]
    | \[/?(?:THINK|IMG|IMG_BREAK|IMG_END|AUDIO|BEGIN_AUDIO|TRANSCRIBE|PREFIX|MIDDLE|SUFFIX|gMASK|sMASK)\]
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


def neutralise_json(text: str) -> str:
    """JSON with each of its strings neutralised, though they be spelt with escapes: a server may read it before it is
    put into the template. What is not JSON becomes an object that quotes it. The identity on JSON without such tokens.
    """  # noqa: D205 - one sentence too long for one line
    if not text.strip():
        return text
    try:
        value = json.loads(text)
        mended = _mended(value)
        if mended == value and neutralise(text) == text:
            return text
        written = json.dumps(mended, ensure_ascii=False)
    except (ValueError, RecursionError):
        written = json.dumps({"unparsed": neutralise(text)}, ensure_ascii=False)
    return written.encode(errors="replace").decode()  # half a character fits in no UTF-8


def neutralise_call(call: ToolCall) -> ToolCall:
    """An earlier tool call as it may stand in a prompt."""
    return ToolCall(neutralise(call.id), neutralise(call.name), neutralise_json(call.arguments))


def neutralise_tool(tool: Tool) -> Tool:
    """A tool as it may stand in a prompt; its name is letters and digits already."""
    return Tool(tool.name, neutralise(tool.description), neutralise_json(tool.parameters))


def _mended(value: object) -> object:
    match value:
        case str():
            return neutralise(value)
        case list():
            return [_mended(item) for item in value]
        case dict():
            return {neutralise(str(name)): _mended(item) for name, item in value.items()}
        case _:
            return value
