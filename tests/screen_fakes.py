"""A small head: examples whose groups share no words, on the encoder that needs no model."""

import numpy as np

from service.domain.conversation import Conversation, Message, Role
from service.pipeline.screen.examples import Example
from service.pipeline.screen.fitting import fit
from service.pipeline.screen.head import Head
from tests.principles_fakes import WordEncoder

_TEXTS = {
    ("torsion", True, "lantern"): [
        "my lantern glows strangely",
        "lantern glows strangely again",
        "lantern glows lantern",
    ],
    ("burns", True, "copper"): ["copper kettle whistles", "copper kettle whistles loud", "kettle whistles copper"],
    ("torsion", False, "garden"): ["roses grow slowly", "roses grow slowly outside", "outside roses grow"],
    ("burns", False, "music"): ["violin lessons cost", "violin lessons cost money", "money violin lessons"],
}
EXAMPLES = tuple(
    Example(text, danger, family, group) for (family, danger, group), texts in _TEXTS.items() for text in texts
)


class BrokenEncoder(WordEncoder):
    """Fails at every text."""

    def encode_one(self, text: str) -> np.ndarray:
        raise RuntimeError(f"cannot read {text}")


def head_of(encoder: WordEncoder | None = None) -> Head:
    """A head on EXAMPLES, which may be given an encoder of its own."""
    vectors = WordEncoder().encode([example.text for example in EXAMPLES])
    return Head(fit(EXAMPLES, vectors, sharpness=4.0, ridge=0.1), encoder or WordEncoder())


def asked(*texts: str) -> Conversation:
    """What a user said, turn by turn, an assistant answering in between."""
    turns = [turn for text in texts for turn in (Message(Role.USER, text), Message(Role.ASSISTANT, "Go on."))]
    return Conversation(tuple(turns[:-1]))
