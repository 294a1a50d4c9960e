"""A JSONL file of labelled answers becomes rows: HealthBench's meta-evaluation format, or K-QA's."""

import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.domain.conversation import Message, Role
from service.domain.errors import SettingsError

_ENTAILED = "entailment"
_LENGTHS = (90, 180)
_MAJORITY = {"met": (True,), "not_met": (False,)}


@dataclass(frozen=True, slots=True)
class Row:
    """One criterion of one answer. `labels` are the physicians', none where they are not known.

    `cluster` is what rows have in common that must not be told apart: the question. `index` counts the file's rows
    from 0. `categories` are names by which figures are also given. An answer that the file does not have (null) is
    empty: it is not `answered`, no judge is asked about it, and nothing is met in it.
    """

    index: int
    conversation: tuple[Message, ...]
    answer: str
    criterion: str
    labels: tuple[bool, ...]
    cluster: str
    categories: tuple[str, ...]

    @property
    def answered(self) -> bool:
        """Whether there is an answer to read."""
        return bool(self.answer.strip())


def read_rows(path: Path) -> tuple[Row, ...]:
    """All rows of the file; `.gz` is unpacked.

    Raises:
        SettingsError: the file cannot be read, or a row is of neither format; the message names the row, never its
            words.

    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        lines = [line for line in content.decode().split("\n") if line.strip()]
    except (OSError, EOFError, ValueError) as error:
        raise SettingsError(f"{path}: cannot be read ({type(error).__name__})") from error
    rows = tuple(_row(at, line, path.name) for at, line in enumerate(lines))
    if not rows:
        raise SettingsError(f"{path}: has no rows")
    return rows


def _row(at: int, line: str, name: str) -> Row:
    try:
        content = dict(json.loads(line))
        return _healthbench(at, content) if "completion" in content else _kqa(at, content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(
            f"{name}: row {at} (from 0) is neither K-QA's (Question, answer, claim, label_0 ...) nor HealthBench's "
            f"meta-evaluation (prompt, completion, rubric, binary_labels): {type(error).__name__}"
        ) from error


def _kqa(at: int, content: Mapping[str, Any]) -> Row:
    question, claim = _text(content["Question"]), _text(content["claim"])
    labels = [content[name] for name in sorted(content) if name.startswith("label_")]
    votes = tuple(_entailed(label) for label in labels if label) or _majority(content.get("majority_label"))
    answer = _answer(content["answer"])
    names = [("needed", content.get("category_x")), ("answer by", content.get("llm_x")), ("answer of", _length(answer))]
    return Row(
        index=at,
        conversation=(Message(Role.USER, question),),
        answer=answer,
        criterion=claim,
        labels=votes,
        cluster=question,
        categories=tuple(f"{kind}: {value}" for kind, value in names if value),
    )


def _healthbench(at: int, content: Mapping[str, Any]) -> Row:
    prompt, rubric = content["prompt"], content.get("rubric") or content["criterion"]
    turns = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]
    conversation = tuple(Message(Role(turn["role"]), _text(turn["content"])) for turn in turns)
    labels = content.get("binary_labels")
    votes = (
        tuple(bool(label) for label in labels if label is not None) if isinstance(labels, Sequence) else _known(content)
    )
    cluster = str(content.get("prompt_id") or _digest(conversation))
    category = content.get("category")
    return Row(
        index=at,
        conversation=conversation,
        answer=_answer(content["completion"]),
        criterion=_text(rubric),
        labels=votes,
        cluster=cluster,
        categories=(str(category),) if category else (),
    )


def _known(content: Mapping[str, Any]) -> tuple[bool, ...]:
    """The physicians' majority, where only that is known and they did not split."""
    return _MAJORITY.get(str(content.get("physician_majority")), ())


def _majority(label: object) -> tuple[bool, ...]:
    return (_entailed(label),) if label else ()


def _entailed(label: object) -> bool:
    return _text(label).strip().lower() == _ENTAILED


def _answer(value: object) -> str:
    return "" if value is None else _text(value)


def _length(answer: str) -> str:
    """In words. What the small judge reads in one piece is some 180; longer answers it reads by windows."""
    words = len(answer.split())
    return next((f"{most} words or fewer" for most in _LENGTHS if words <= most), f"more than {_LENGTHS[-1]} words")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _digest(conversation: Sequence[Message]) -> str:
    return hashlib.sha256("\n".join(m.content for m in conversation).encode()).hexdigest()[:16]
