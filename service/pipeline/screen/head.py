"""The learned head: windows of a conversation come in, the one that most tells of danger now goes out.

Kernel ridge regression on the encoder's vectors and on the words: a window is scored by the labels of all examples,
the near ones counting most. It needs the encoder and its own weights, nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from service.domain.assessment import Span
from service.domain.conversation import Conversation
from service.pipeline.screen.language import may_be_english
from service.pipeline.screen.windows import Window, windows_of
from service.pipeline.screen.wording import Wording

# Chosen on the examples by groups held out and on the tuning fold; see docs/decisions/a-head-beside-the-rules.md.
THRESHOLD: Final = 0.05
GENERAL: Final = "emergency"  # the family of what is dangerous and cannot be named
_NEAREST: Final = 7
_AGREED: Final = 0.5  # share of the nearest examples' weight that a family needs more than to be named

Vectors = NDArray[np.float32]


class Recalling(Protocol):
    """An encoder that may remember what it was just asked."""

    def recall(self, text: str) -> Vectors:
        """The unit vector [width] of one text."""
        ...


@dataclass(frozen=True, slots=True)
class Sighting:
    """The window that scored highest, its score, and the family that its nearest examples are of."""

    family: str
    span: Span
    score: float


@dataclass(frozen=True, eq=False, slots=True)
class Weights:
    """Unit vectors [examples, width], a weight and a family each (-1: routine), the kernel's sharpness, the words."""

    vectors: Vectors
    weights: Vectors
    codes: NDArray[np.int64]
    families: tuple[str, ...]
    sharpness: float
    wording: Wording

    def scores(self, vectors: Vectors, texts: Sequence[str]) -> Vectors:
        """About 1 where danger is told of and about -1 where not, for texts and their vectors [texts, width]."""
        scored: Vectors = (kernel(vectors, self.vectors, self.sharpness) @ self.weights).astype(np.float32)
        return scored + self.wording.scores(texts)

    def family(self, vector: Vectors) -> str:
        """The family that most of the nearest examples of danger are of; GENERAL where they do not agree."""
        dangers = np.flatnonzero(self.codes >= 0)
        near = kernel(vector[None, :], self.vectors[dangers], self.sharpness)[0]
        nearest = np.argsort(-near)[:_NEAREST]
        votes = np.bincount(self.codes[dangers[nearest]], weights=near[nearest], minlength=len(self.families))
        best = int(votes.argmax())
        return self.families[best] if votes[best] > _AGREED * votes.sum() else GENERAL


@dataclass(frozen=True, eq=False, slots=True)
class Head:
    """The weights and the encoder whose vectors they were fitted on. Read-only, so threads may share it."""

    weights: Weights
    encoder: Recalling

    def look(
        self, conversation: Conversation, *, threshold: float = THRESHOLD, left_out: Sequence[Span] = ()
    ) -> Sighting | None:
        """What most tells of danger now, where it reaches the threshold. Other languages than English are not read."""
        seen = self.highest(conversation, left_out=left_out)
        return seen if seen is not None and seen.score >= threshold else None

    def highest(self, conversation: Conversation, *, left_out: Sequence[Span] = ()) -> Sighting | None:
        """The window that scores highest, whatever it scores; None where there is nothing to read.

        No window is read that touches one of the spans that are `left_out`.
        Of a whole turn and its sentences, a sentence is taken as evidence wherever it reaches the threshold too.
        """
        readable = {m for m, turn in enumerate(conversation.messages) if may_be_english(turn.content)}
        windows = [w for w in windows_of(conversation) if w.span.message in readable and not _touches(w.span, left_out)]
        if not windows:
            return None
        texts = [window.text for window in windows]
        vectors = np.stack([self.encoder.recall(text) for text in texts])
        scores = self.weights.scores(vectors, texts)
        best = int(scores.argmax())
        shown = _shown(windows, scores, best)
        return Sighting(self.weights.family(vectors[best]), windows[shown].span, float(scores[best]))


def _touches(span: Span, others: Sequence[Span]) -> bool:
    return any(o.message == span.message and o.start < span.end and span.start < o.end for o in others)


def _shown(windows: Sequence[Window], scores: Vectors, best: int) -> int:
    """Which window to show: the best sentence of the turn that scored highest, if it alone would do."""
    message = windows[best].span.message
    length = max(w.span.end - w.span.start for w in windows if w.span.message == message)
    sentences = [n for n, w in enumerate(windows) if w.span.message == message and w.span.end - w.span.start < length]
    likeliest = max(sentences, key=lambda n: scores[n], default=best)
    return likeliest if scores[likeliest] >= THRESHOLD else best


def kernel(left: Vectors, right: Vectors, sharpness: float) -> Vectors:
    """exp(sharpness x (cosine - 1)) for unit vectors [n, width] and [m, width]: [n, m]."""
    near: Vectors = np.exp(sharpness * (left @ right.T - 1.0))
    return near
