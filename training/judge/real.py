"""Groups from texts of others: physicians' answers with their statements, and MedQuAD's answers, read from a folder.

A statement is told by the sentence nearest to it. It is asked of an answer that keeps this sentence, and of one that
lost it and kept nothing near. Where nearness leaves a doubt, nothing is asked.
"""

import gzip
import hashlib
import json
import random
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from principles_store.encoder import Encoder, Precision
from service.prompts.sentences import split
from training.judge import folds as parted
from training.judge.group import Group, asides, group, reword, spoil

_NEAR, _FAR, _SAME = 0.5, 0.55, 0.84
_NEGATION = re.compile(r"\b(?:no|not|never|cannot|without|n't|nor|none|unlikely|rarely)\b|n't\b", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_CLAUSE = re.compile(
    r"(?:, | )(?:which|because|although|while|such as|including|especially|so that|when|if) .*$|\s*\([^)]*\)"
)
_SENTENCES = 14
_LISTING = "The Human Phenotype Ontology"  # tables of signs, not prose


@dataclass(frozen=True, slots=True)
class Text:
    """An answer in sentences, with what is stated of it (its own sentences where nobody stated anything)."""

    focus: str
    sentences: tuple[str, ...]
    vectors: NDArray[np.float32]
    statements: tuple[str, ...] = ()
    stated: NDArray[np.float32] | None = None


class Vectors:
    """Unit vectors of sentences by the store's encoder, kept on disk: a run that stops goes on from them."""

    def __init__(self, encoder_dir: Path, kept: Path) -> None:
        self._encoder = Encoder.load(encoder_dir, precision=Precision.INT8)
        self._kept = kept
        self._known: dict[str, NDArray[np.float32]] = {}
        if kept.exists():
            with np.load(kept) as file:
                self._known = dict(zip(file["keys"].tolist(), file["vectors"].astype(np.float32), strict=True))

    def of(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """[texts, width]."""
        return np.stack([self._one(text) for text in texts])

    def save(self) -> None:
        """Keep what is known."""
        self._kept.parent.mkdir(parents=True, exist_ok=True)
        vectors = np.stack(list(self._known.values())).astype(np.float16)
        np.savez(self._kept, keys=np.array(list(self._known)), vectors=vectors)

    def _one(self, text: str) -> NDArray[np.float32]:
        key = hashlib.sha256(text.encode()).hexdigest()[:20]
        if key not in self._known:
            self._known[key] = self._encoder.encode_one(text)
        return self._known[key]


def physicians(data: Path, vectors: Vectors) -> list[Text]:
    """The physicians' answers to questions that have no labels."""
    labelled = parted.Folds.of_questions([r["Question"] for r in parted.read(data / parted.LABELS)], count=5)
    texts = []
    for row in parted.unlabelled(parted.read(data / parted.ANSWERS), labelled):
        sentences = sentences_of(row["Free_form_answer"])
        statements = tuple(dict.fromkeys(s.strip() for s in _statements(row)))
        if sentences and statements:
            texts.append(Text(row["Question"], sentences, vectors.of(sentences), statements, vectors.of(statements)))
    return texts


def medquad(data: Path, vectors: Vectors, *, count: int, seed: int) -> list[Text]:
    """Some of MedQuAD's answers; first those whose subject several institutes wrote of."""
    with gzip.open(data / parted.MEDQUAD, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    rng = random.Random(seed)
    by_focus: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["answer"] and row["focus"]:
            by_focus[row["focus"].lower()].append(row)
    shared = sorted(f for f, found in by_focus.items() if len({r["source"] for r in found}) > 1)
    alone = sorted(f for f in by_focus if f not in set(shared))
    rng.shuffle(shared)
    rng.shuffle(alone)
    half = count // 2
    chosen = [row for focus in shared for row in by_focus[focus][:4]][:half]
    chosen += [rng.choice(by_focus[focus]) for focus in alone[: count - half]]
    texts = []
    for row in chosen:
        if _LISTING in row["answer"]:
            continue
        sentences = sentences_of(row["answer"])[:_SENTENCES]
        if len(sentences) > 3:
            texts.append(Text(row["focus"].lower(), sentences, vectors.of(sentences)))
    return texts


def sentences_of(text: str) -> tuple[str, ...]:
    """The sentences of a text, and the items of its lists, that are neither tiny nor endless."""
    pieces = (piece.strip(" -\n") for whole in split(text) for piece in re.split(r"\s+- |\n+", whole))
    return tuple(piece for piece in pieces if 4 <= len(piece.split()) <= 45)


def stated(texts: Sequence[Text]) -> Callable[[random.Random], Group]:
    """Physicians' statements asked of their answers, of what is left of them, and of others' answers."""
    pool = [(t.focus, s, v) for t in texts if t.stated is not None for s, v in zip(t.statements, t.stated, strict=True)]
    matrix = np.stack([v for _, _, v in pool])

    def make(rng: random.Random) -> Group:
        text = rng.choice(texts)
        assert text.stated is not None  # noqa: S101 - physicians' texts have statements
        keep = _kept(rng, len(text.sentences))
        nearness = text.stated @ text.vectors.T
        told, untold = [], []
        for at, statement in enumerate(text.statements):
            best = int(nearness[at].argmax())
            if best in keep and (nearness[at, best] >= _NEAR or len(keep) == len(text.sentences)):
                told.append(reword(rng, statement, share=0.25))
                if rng.random() < 0.08:
                    untold.append(spoil(rng, statement))
            elif best not in keep and nearness[at, best] >= _NEAR and nearness[at, keep].max() < _FAR:
                untold.append(reword(rng, statement, share=0.25))
        strange = matrix @ text.vectors[keep].T
        order = np.argsort(-strange.max(axis=1))
        near = [pool[k][1] for k in order if pool[k][0] != text.focus and strange[k].max() < 0.62][:12]
        untold += rng.sample(near, min(len(near), 4))
        sentences = [reword(rng, text.sentences[k], share=0.1) for k in keep]
        if rng.random() < 0.3:
            rng.shuffle(sentences)
        return group(rng, " ".join(asides(rng, sentences, most=2)), told, untold, "physicians", text.focus)

    return make


def quoted(texts: Sequence[Text]) -> Callable[[random.Random], Group]:
    """Sentences of an answer, in other words, asked of a part of it, of another institute's, and spoilt."""
    by_focus: dict[str, list[Text]] = defaultdict(list)
    for text in texts:
        by_focus[text.focus].append(text)

    def make(rng: random.Random) -> Group:
        text = rng.choice(texts)
        size = rng.randint(2, 7)
        start = rng.randint(0, max(0, len(text.sentences) - size))
        keep = list(range(start, min(start + size, len(text.sentences))))
        told, untold = [], []
        for k in rng.sample(keep, min(len(keep), 5)):
            told.append(_shorter(rng, reword(rng, text.sentences[k], share=0.5)))
            untold += [spoil(rng, text.sentences[k])] if rng.random() < 0.15 else []
        window = text.vectors[keep]
        others = [(text, k) for k in range(len(text.sentences)) if k not in keep]
        others += [(t, k) for t in by_focus[text.focus] if t is not text for k in range(len(t.sentences))]
        for other, k in rng.sample(others, min(len(others), 12)):
            nearness = window @ other.vectors[k]
            said, there = other.sentences[k], text.sentences[keep[int(nearness.argmax())]]
            if nearness.max() >= _SAME and _agree(said, there):
                told.append(said)
            elif nearness.max() < _FAR:
                untold.append(_shorter(rng, reword(rng, said, share=0.3)))
        sentences = [text.sentences[k] for k in keep]
        return group(rng, " ".join(asides(rng, sentences, most=1)), told, untold, "medquad", text.focus)

    return make


def _kept(rng: random.Random, count: int) -> list[int]:
    if rng.random() < 0.35 or count < 3:
        return list(range(count))
    return sorted(rng.sample(range(count), rng.randint(max(1, count // 3), count - 1)))


def _agree(one: str, other: str) -> bool:
    """Whether numbers and negations are the same in both."""
    return set(_NUMBER.findall(one)) == set(_NUMBER.findall(other)) and bool(_NEGATION.search(one)) == bool(
        _NEGATION.search(other)
    )


def _shorter(rng: random.Random, text: str) -> str:
    """The main clause, now and then: who says all says a part."""
    cut = _CLAUSE.sub("", text)
    return cut if rng.random() < 0.5 and len(cut.split()) >= 5 else text


def _statements(row: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    for name in ("Must_have", "Nice_to_have"):
        value = row[name]
        if isinstance(value, list):
            found += [str(text) for text in value]
        elif isinstance(value, str):
            found += [text for _, text in re.findall(r"""(['"])(.+?)\1(?=,|\])""", value)]
    return [text for text in found if 3 <= len(text.split()) <= 40]
