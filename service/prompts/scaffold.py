"""Scaffold: whether a text holds edits as we ask for them, or a line that heads such a request, which is for nobody.

A model that was trained on this form may fall into it in the middle of an answer, whole or in part.
"""

import re

from service.prompts import edits, wishes

# As it stands, inside strings of JSON, or with the marks that typesetters make of it. Every repeat is bounded or begins
# at one place, so that a long text is read in one pass.
_MARK = r"""\\{0,7}["'\u201c\u201d\u2018\u2019]"""
_OP = rf"{_MARK}op{_MARK}\s*:\s*{_MARK}(?:{'|'.join(edits.Op)}){_MARK}"
# A patch of JSON (RFC 6902) has a `replace` too, and names a path beside it.
_NO_PATH = rf"(?!\s*,\s*{_MARK}(?:path|from|value){_MARK})"
_SENTENCE = rf"{_MARK}sentence{_MARK}\s*:\s*\d"
_BEGUN = rf"{_MARK}edits{_MARK}\s*:\s*\[\s*(?:\{{|\Z)"
_EDIT = rf"{_OP}\s*,\s*{_SENTENCE}"
_ASKED = rf"^[ \t\-*\u2022]*(?:{'|'.join(map(re.escape, (*wishes.SIGNS, *edits.HEADINGS)))})"
_IN_PROSE = re.compile(
    "|".join((_BEGUN, rf"{_OP}{_NO_PATH}", rf"{_SENTENCE}\s*,\s*{_MARK}text{_MARK}", _ASKED)),
    re.IGNORECASE | re.MULTILINE,
)
_IN_JSON = re.compile(_EDIT, re.IGNORECASE)


def shows_scaffold(text: str, *, structured: bool) -> bool:
    """Whether the text holds any of it; `structured` is JSON that was asked for, where only a whole edit counts."""
    return bool((_IN_JSON if structured else _IN_PROSE).search(text))
