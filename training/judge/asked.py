"""Replies written here to questions that K-QA's physicians answered, and how far each tells their statements."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from service.entailment.reader import question_key
from training.judge import folds as parted
from training.judge.group import MOST, Claim, Group, lines, reword
from training.judge.real import sentences_of

# A label's worth: the share of careful readers who would say that the reply tells the statement.
QUOTED: Final = "quoted"
_STRANGE: Final = 3
_TOLD: Final[Mapping[str, float]] = {"e": 1.0, "m": 0.67, "w": 0.33, "n": 0.0}


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of K-QA, a reply to it, and its physicians' statements with how far it tells each."""

    question: str
    reply: str
    statements: tuple[Claim, ...]


def asked(data: Path) -> list[Asked]:
    """All of wordings/asked.txt whose questions are in the folder; none of these has a physician's label.

    Raises:
        ValueError: a reply has not as many labels as its question has statements.

    """
    labelled = parted.Folds.of_questions([r["Question"] for r in parted.read(data / parted.LABELS)], count=5)
    known = {question_key(r["Question"]): r for r in parted.unlabelled(parted.read(data / parted.ANSWERS), labelled)}
    return [_joined(known[key], reply, labels) for key, reply, labels in _replies() if key in known]


def quoted(texts: Sequence[Asked], *, seed: int) -> list[Group]:
    """A sentence of each reply, which it tells in its words; of every third one of another's too, which it does not."""
    rng = random.Random(seed)
    found = []
    for at, text in enumerate(texts):
        claims = [Claim(each, 1.0) for each in rng.sample(sentences_of(text.reply), 1)]
        other = rng.choice(texts)
        if at % _STRANGE == 0 and other.question != text.question:
            claims.append(Claim(rng.choice(sentences_of(other.reply)), 0.0))
        found.append(Group(text.reply, tuple(claims), QUOTED, text.question))
    return found


def answered(texts: Sequence[Asked]) -> Callable[[random.Random], Group]:
    """One reply with some of its statements, here and there in other words."""

    def make(rng: random.Random) -> Group:
        text = rng.choice(texts)
        chosen = rng.sample(text.statements, min(len(text.statements), MOST))
        claims = tuple(Claim(reword(rng, each.text, share=0.15), each.told) for each in chosen)
        return Group(reword(rng, text.reply, share=0.1), claims, "asked", text.question)

    return make


def statements(row: Mapping[str, Any]) -> list[str]:
    """What physicians stated of the question, as it stands in K-QA."""
    return [str(text).strip() for name in ("Must_have", "Nice_to_have") for text in row[name] if str(text).strip()]


def _joined(row: Mapping[str, Any], reply: str, labels: str) -> Asked:
    texts = statements(row)
    if len(texts) != len(labels):
        raise ValueError(
            f"asked.txt: {len(labels)} labels for {len(texts)} statements of {question_key(row['Question'])}"
        )
    claims = tuple(Claim(text, _TOLD[label]) for text, label in zip(texts, labels, strict=True))
    return Asked(row["Question"], reply, claims)


@cache
def _replies() -> tuple[tuple[str, str, str], ...]:
    """The question's hash, the reply and its labels."""
    found: list[tuple[str, str, str]] = []
    key, reply = "", list[str]()
    for line in lines("asked.txt"):
        if line.startswith("## "):
            key, reply = line[3:], []
        elif line.startswith("= "):
            found.append((key, "\n".join(reply), line[2:]))
        else:
            reply.append(line)
    return tuple(found)
