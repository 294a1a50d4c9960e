"""Cosines, shared words and the scenario in; the principles to bring in, in order, out. Arithmetic alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from principles_store.scenario import Scenario
from principles_store.schema import Dimension, Principle


@dataclass(frozen=True, slots=True)
class Ranking:
    """How the parts of a principle's score weigh, chosen on one half of the real queries with graded labels
    (`clinalign evaluate retrieval`) and reported on the other.

    A score is the cosine, plus `words` x BM25, plus `asked` x the cosine to the nearest of the principle's own labelled
    questions, plus the weight of its dimension x the probability that the scenario gives its level. What kind of answer
    is due (certain or not, lay or professional) shows in how one asks more than in what about: those two weigh most.
    `diversity` takes away the cosine to the nearest principle already taken. A principle for emergencies is left out
    where the question is routine with probability `calm` or more and no red flag was seen.
    """  # noqa: D205 - one sentence too long for one line

    words: float = 0.025
    asked: float = 0.5
    urgency: float = 0.05
    uncertainty: float = 0.2
    expertise: float = 0.15
    task_type: float = 0.05
    diversity: float = 0.0
    calm: float = 0.95

    def level(self, dimension: Dimension) -> float:
        """The weight of the scenario's reading in one dimension."""
        return float(getattr(self, dimension.value))


def relevance(
    scores: NDArray[np.float32], principles: Sequence[Principle], scenario: Scenario, ranking: Ranking
) -> NDArray[np.float32]:
    """Scores of the candidates, raised where the scenario gives the principle's own level."""
    fit = [ranking.level(p.dimension) * scenario.probability(p.dimension, p.level) for p in principles]
    raised: NDArray[np.float32] = (scores + np.array(fit, dtype=np.float32)).astype(np.float32)
    return raised


def is_out_of_place(principle: Principle, scenario: Scenario, *, flagged: bool, ranking: Ranking) -> bool:
    """Whether a principle for emergencies would only alarm: the question is confidently routine, no red flag seen."""
    emergent = principle.dimension is Dimension.URGENCY and principle.level == "emergent"
    return emergent and not flagged and scenario.probability(Dimension.URGENCY, "routine") >= ranking.calm


def diversify(scores: NDArray[np.float32], vectors: NDArray[np.float32], *, limit: int, diversity: float) -> list[int]:
    """Positions of at most `limit` candidates, each the best by its score less `diversity` x its cosine to one taken.

    `scores` is [candidates], `vectors` unit [candidates, dimension]. With `diversity` 0 this is the order of scores.
    """
    taken: list[int] = []
    left = np.ones(len(scores), dtype=bool)
    nearest = np.zeros(len(scores), dtype=np.float32)
    while left.any() and len(taken) < limit:
        best = int(np.argmax(np.where(left, scores - diversity * nearest, -np.inf)))
        taken.append(best)
        left[best] = False
        nearest = np.maximum(nearest, vectors @ vectors[best])
    return taken
