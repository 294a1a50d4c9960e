"""Principles in; families out: those that people ask about in nearly the same words, so that none teaches its twin."""

import hashlib
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from principles_store.schema import LabelledQuery

# By the last part of the id. Read off the questions: two of one line are asked for in each other's words.
KIN: Final = (
    ("no-lethal-methods", "suicide-danger-now", "low-mood-and-depression"),
    ("complete-dose", "ask-dose-factors", "kidney-liver-dosing", "child-dose-by-weight"),
    ("critical-values", "anticoagulants", "major-bleeding"),
    ("otc-pain-relief-maximum", "medicine-overdose"),
    ("infant-feeding-and-safe-sleep", "ill-newborn", "dehydration-frail"),
    ("plain-words", "explain-terms", "plain-language-version", "imaging-report-wording"),
    ("ask-key-questions", "ask-duration-severity", "self-care-time-limit"),
    ("next-step", "most-urgent-first", "how-soon-and-where", "who-by-when", "conditional-advice"),
    ("anxiety-and-panic", "acknowledge-worry", "no-needless-alarm"),
    ("summarise-without-adding", "soap-note-structure", "keep-negations-sides-numbers", "structured-handover"),
    ("insulin-and-diabetes-medicines", "severe-hypoglycaemia", "diabetic-ketoacidosis"),
    ("sepsis-signs", "kidney-infection"),
    ("no-see-a-doctor", "lead-with-answer", "scope-local-protocol"),
    ("thunderclap-headache", "head-injury"),
    ("antibiotic-stewardship", "fever-immunosuppressed"),
)
_HEADS: Final = {member: kin[0] for kin in KIN for member in kin}


def family(principle: str) -> str:
    """The family of a principle's id: its own name, or that of its kin."""
    name = principle.rsplit(".", 1)[-1]
    return _HEADS.get(name, name)


def part(family: str, *, count: int = 5) -> int:
    """The fold of a family's texts, the same for all of them, so that none is read by its sisters."""
    return _hash(family) % count


def is_chosen_by(family: str) -> bool:
    """Whether choices may look at a family's texts; the others are reported."""
    return _hash("half" + family) % 2 == 0


def families(queries: Sequence[LabelledQuery]) -> NDArray[np.str_]:
    """The family of each query."""
    return np.array([family(query.principle) for query in queries], dtype=np.str_)


def folds(queries: Sequence[LabelledQuery], *, count: int = 5) -> NDArray[np.int64]:
    """A fold for each query, the same for all of one family, so that none is read by its sisters."""
    return np.array([part(name, count=count) for name in families(queries)], dtype=np.int64)


def is_for_tuning(queries: Sequence[LabelledQuery]) -> NDArray[np.bool_]:
    """Whether choices may look at each query; the families of the others are reported."""
    return np.array([is_chosen_by(name) for name in families(queries)], dtype=np.bool_)


def _hash(text: str) -> int:
    return int(hashlib.sha256(text.encode()).hexdigest(), 16)
