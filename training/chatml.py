"""Our chat template, twice: as Jinja for the engines, and as the same text in Python for training."""

from collections.abc import Iterable

from service.domain.conversation import Message

START, END, PAD = "<|im_start|>", "<|im_end|>", "<|endoftext|>"
SPECIAL = (PAD, START, END)
TEMPLATE = (
    "{%- for message in messages -%}\n"
    "{{- '<|im_start|>' + message['role'] + '\\n' + (message['content'] or '') + '<|im_end|>\\n' -}}\n"
    "{%- endfor -%}\n"
    "{%- if add_generation_prompt -%}\n"
    "{{- '<|im_start|>assistant\\n' -}}\n"
    "{%- endif -%}\n"
)
REPLY = f"{START}assistant\n"


def render(messages: Iterable[Message]) -> str:
    """The messages as the template writes them, without a generation prompt."""
    return "".join(f"{START}{m.role}\n{m.content}{END}\n" for m in messages)
