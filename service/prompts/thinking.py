"""Thinking: what a model says to itself before it answers, where its server leaves that in the text."""

import re

_THOUGHT = re.compile(r"\s*<(?P<name>think|thinking)>.*?(?:</(?P=name)>\s*|\Z)", re.DOTALL | re.IGNORECASE)


def spoken(text: str) -> str:
    """The text after the thoughts that open it; thoughts that never end leave nothing."""
    thought = _THOUGHT.match(text)
    return text[thought.end() :] if thought else text
