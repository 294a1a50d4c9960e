"""What a judge must beat: the majority, the share of a claim's stems in the answer, the nearest sentence's cosine.

Thresholds are those of the judge's manifest, fitted on the same folds as its heads.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from principles_store.encoder import Encoder
from service.entailment.lexical import overlap
from service.entailment.reader import JudgeManifest, question_key
from service.judge_evaluation.rows import Row
from service.prompts.sentences import split

OVERLAP = "overlap"
COSINE = "cosine"
MAJORITY = "majority"
Score = Callable[[str, str], float]


def cosine(encoder: Encoder) -> Score:
    """The highest cosine of a claim to a sentence of the answer; what was encoded once is kept."""
    known: dict[str, np.ndarray] = {}

    def vector(text: str) -> np.ndarray:
        if text not in known:
            known[text] = encoder.encode_one(text)
        return known[text]

    def score(claim: str, answer: str) -> float:
        sentences = [piece.strip() for piece in split(answer) if piece.strip()] or [answer]
        return max(float(vector(claim) @ vector(sentence)) for sentence in sentences)

    return score


def overlapping(claim: str, answer: str) -> float:
    """The share of the claim's stems that the answer has."""
    return overlap(claim, answer)


def majority(rows: Sequence[Row]) -> tuple[bool, ...]:
    """The commoner label of these very rows, for each: no judge may do worse."""
    votes = [vote for row in rows for vote in row.labels]
    return (sum(votes) * 2 > len(votes),) * len(rows)


def by_threshold(rows: Sequence[Row], score: Score, name: str, manifest: JudgeManifest) -> tuple[bool, ...]:
    """Told where the score reaches the threshold that was fitted without the row's question."""
    thresholds = manifest.baselines[name]
    return tuple(score(row.criterion, row.answer) >= _threshold(row, thresholds, manifest.folds) for row in rows)


def _threshold(row: Row, thresholds: Sequence[float], folds: Mapping[str, int]) -> float:
    return thresholds[folds.get(question_key(row.cluster), len(thresholds) - 1)]
